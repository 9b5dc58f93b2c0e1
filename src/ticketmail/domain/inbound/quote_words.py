"""Words that mark quoted text, by language: what mail programs write around the mail that they answer.

Sources: the texts of Gmail, Outlook, Apple Mail, Thunderbird, Yahoo, Yandex and Zoho in their languages, as they stand in
mails, and the tables of talon, email_reply_trimmer, email-reply-parser and mail-parser-reply (facts were taken, no code). A
language is a row. Words are compared without regard to case. A bar parts words.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Attributing(NamedTuple):
    """How one language says *on DATE, NAME wrote*: words that may begin the line, and the verb phrases of it."""

    language: str
    openers: str
    verbs: str


class Heading(NamedTuple):
    """How one language names the fields of a quoted header. ``sent`` says more than ``date``: only mail programs write it."""

    language: str
    sender: str
    to: str
    subject: str
    sent: str
    date: str
    copy: str


def _words(text: str) -> tuple[str, ...]:
    """Phrases that stand between bars, over several lines."""
    return tuple(" ".join(one.split()) for one in text.split("|"))


ATTRIBUTIONS: Final = (
    Attributing("en", "On|At|In message|In article", "wrote|writes|sent|has written|replied"),
    Attributing("de", "Am", "schrieb|schrieben Sie|schriebst du|geschrieben|hat geschrieben"),
    Attributing("fr", "Le", "a écrit|nous a dit|écrivait|avez écrit|a envoyé"),
    Attributing("es", "El|En", "escribió|escribio|ha escrito|escribiste"),
    Attributing("pt", "Em|No dia", "escreveu|escreveram"),
    Attributing("it", "Il|In data", "ha scritto|scrive|hai scritto"),
    Attributing("nl", "Op", "schreef|het volgende geschreven|geschreven|verzond"),
    Attributing("sv", "Den|På", "skrev"),
    Attributing("da", "Den|D.", "skrev"),
    Attributing("no", "På|Den", "skrev|skreiv"),
    Attributing("fi", "", "kirjoitti"),
    Attributing("is", "Þann|Hinn", "skrifaði|reit"),
    Attributing("et", "", "kirjutas"),
    Attributing("lv", "", "rakstīja"),
    Attributing("lt", "", "rašė|parašė"),
    Attributing("pl", "W dniu|Dnia", "napisał(a)|napisał/a|napisała|napisał|pisze|nadesłał"),
    Attributing("cs", "Dne", "napsal(a)|napsala|napsal|píše"),
    Attributing("sk", "Dňa", "napísal(a)|napísal/a|napísala|napísal"),
    Attributing("hu", "", "írta|ezt írta|a következőt írta"),
    Attributing("ro", "În data de|La|Pe", "a scris"),
    Attributing("bg", "На", "написа|написа(ла)"),
    Attributing("ru", "", "написал(а)|написала|написал|пишет|писал(а)|писал"),
    Attributing("uk", "", "написав(ла)|написав/ла|написала|написав|пише|пишуть"),
    Attributing("sr", "Дана|Dana", "је написао/ла|је написао|je napisao/la|je napisao|piše"),
    Attributing("hr", "Dana", "je napisao/la|je napisala|je napisao|piše"),
    Attributing("sl", "Dne|V", "je napisal/-a|je napisal(a)|je napisala|je napisal|je oseba"),
    Attributing("el", "Στις", "έγραψε|ο χρήστης"),
    Attributing("tr", "", "şunu yazdı|yazdı|yazmış"),
    Attributing("ca", "El|Al", "va escriure|escrigué|ha escrit"),
    Attributing("eu", "", "idatzi du|igorleak hau idatzi zuen"),
    Attributing("gl", "O", "escribiu"),
    Attributing("vi", "Vào|Lúc", "đã viết|viết"),
    Attributing("id", "Pada", "menulis"),
    Attributing("ms", "Pada", "menulis"),
    Attributing("th", "เมื่อ|ในวันที่", "เขียนว่า|เขียน"),
    Attributing("he", "בתאריך|ב-", "כתב/ה|כתב|כתבה|מאת"),
    Attributing("ar", "في", "كتب|كتبت"),
    Attributing("fa", "در", "نوشت"),
    Attributing("hi", "", "ने लिखा"),
    Attributing("zh", "在|于|於", "写道|寫道|撰写|写信|写了|来信"),
    Attributing("ja", "", "は書きました|が書きました|さんのメール|のメール|のメッセージ"),
    Attributing("ko", "", "님이 작성|작성|님이 쓴 글"),
)

HEADINGS: Final = (
    Heading(
        "en", "From|Reply-To", "To", "Subject", "Sent|Sent on|Date sent", "Date", "Cc|Bcc|Importance|Attachments|Organization"
    ),
    Heading("de", "Von", "An", "Betreff", "Gesendet|Gesendet am", "Datum", "Kopie|Antwort an|Wichtigkeit|Anlagen"),
    Heading(
        "fr", "De|Expéditeur", "À|A|Destinataire|Pour", "Objet|Sujet", "Envoyé|Envoyé le|Date d'envoi", "Le", "Copie|Répondre à"
    ),
    Heading("es", "De|Remitente", "Para", "Asunto", "Enviado|Enviado el|Enviado por", "Fecha", "Copia|Responder a"),
    Heading("pt", "De", "Para", "Assunto", "Enviado|Enviada em|Enviado em|Enviada", "Data", "Responder a|Responder para"),
    Heading("it", "Da|Mittente|Risposta", "A|Destinatario", "Oggetto", "Inviato|Inviato il", "Data", "Rispondi a|Priorità"),
    Heading("nl", "Van", "Aan", "Onderwerp", "Verzonden", "Datum", "Beantwoorden - Aan|Kopie"),
    Heading("sv", "Från", "Till", "Ämne", "Skickat", "Datum", "Kopia|Svar till"),
    Heading("da", "Fra", "Til", "Emne", "Sendt", "Dato", "Kopi|Svar til|Vedhæftet"),
    Heading("no", "Fra|Frå", "Til", "Emne", "Sendt", "Dato", "Kopi"),
    Heading("fi", "Lähettäjä", "Vastaanottaja", "Aihe", "Lähetetty", "Päivämäärä|Pvm", "Kopio"),
    Heading("et", "Saatja|Kellelt", "Adressaat|Saaja|Kellele", "Teema", "Saadetud", "Kuupäev", "Koopia"),
    Heading("lv", "No|Sūtītājs", "Kam", "Tēma|Temats", "Nosūtīts", "Datums", "Kopija"),
    Heading("lt", "Nuo|Siuntėjas", "Kam|Gavėjas", "Tema", "Išsiųsta", "Data", "Kopija"),
    Heading("pl", "Od|Nadawca", "Do", "Temat", "Wysłano|Wysłane", "Data", "DW|UDW"),
    Heading("cs", "Od", "Komu", "Předmět", "Odesláno", "Datum", "Kopie"),
    Heading("sk", "Od", "Komu", "Predmet", "Odoslané", "Dátum", "Kópia"),
    Heading("hu", "Feladó", "Címzett", "Tárgy", "Elküldve|Küldve", "Dátum", "Másolatot kap"),
    Heading("ro", "De la|Din partea", "Către|Catre", "Subiect", "Trimis|Expediat", "Data|Dată", "Copie"),
    Heading("bg", "От", "До|За", "Относно|Тема", "Изпратено", "Дата", "Копие"),
    Heading("ru", "От|От кого", "Кому", "Тема", "Отправлено", "Дата", "Копия"),
    Heading("uk", "Від|Від кого", "Кому", "Тема", "Надіслано|Відправлено", "Дата", "Копія"),
    Heading("hr", "Od|Šalje", "Za|Prima|Kome", "Predmet|Tema", "Poslano|Poslato", "Datum", "Kopija"),
    Heading("sl", "Od|Pošiljatelj", "Za", "Zadeva", "Poslano", "Datum", "Kp"),
    Heading("el", "Από", "Προς", "Θέμα", "Στάλθηκε|Εστάλη", "Ημερομηνία", "Κοιν."),
    Heading("tr", "Kimden|Gönderen", "Kime|Alıcı", "Konu", "Gönderilme Tarihi|Gönderildi", "Tarih", "Bilgi"),
    Heading("ca", "De", "Per a|A", "Assumpte|Tema", "Enviat|Enviat el", "Data", ""),
    Heading("vi", "Từ|Người gửi", "Đến|Tới|Người nhận", "Chủ đề|Tiêu đề", "Đã gửi|Gửi lúc|Thời gian gửi", "Ngày", ""),
    Heading("id", "Dari", "Kepada|Ke", "Subjek|Perihal", "Dikirim|Terkirim", "Tanggal", "Tembusan"),
    Heading("th", "จาก", "ถึง", "เรื่อง|หัวเรื่อง", "ส่งแล้ว|ส่งเมื่อ", "วันที่", "สำเนา"),
    Heading("he", "מאת", "אל|עבור", "נושא|הנדון", "נשלח|נשלח ב", "תאריך", "עותק"),
    Heading("ar", "من", "إلى|الى", "الموضوع", "أرسلت|تم الإرسال|تاريخ الإرسال", "التاريخ", "نسخة"),
    Heading("fa", "از", "به", "موضوع", "ارسال شده", "تاریخ", ""),
    Heading(
        "zh", "发件人|寄件者|寄件人", "收件人|收件者", "主题|主旨|主題", "发送时间|已发送|寄件日期|傳送時間", "日期", "抄送|副本"
    ),
    Heading("ja", "差出人|送信者", "宛先", "件名", "送信日時|送信済み", "日時|日付", "CC"),
    Heading("ko", "보낸 사람|보낸사람", "받는 사람|받는사람", "제목", "보낸 날짜|보낸날짜", "날짜", "참조"),
)

#: Between dashes, or alone on a line with a colon: what follows is the mail that was answered.
ORIGINAL: Final = _words(
    """
    Original Message | Original Mail | Original Email | Original E-mail | Reply Message | Original Appointment |
    Ursprüngliche Nachricht | Ursprungliche Nachricht | Originalnachricht | Original-Nachricht | Antwort Nachricht |
    Ursprünglicher Termin | Message d'origine | Message d’origine | Message original | Message initial |
    Mensaje original | Mensagem original | Messaggio originale | Messaggio Originale | Oorspronkelijk bericht |
    Origineel bericht | Ursprungligt meddelande | Originalmeddelande | Oprindelig meddelelse | Original meddelelse |
    Opprinnelig melding | Alkuperäinen viesti | Alkuperäinen sanoma | Algne kiri | Algsõnum | Oryginalna wiadomość |
    Wiadomość oryginalna | Wiadomość pierwotna | Původní zpráva | Původní e-mail | Pôvodná správa | Eredeti üzenet |
    Mesaj original | Mesajul original | Исходное сообщение | Оригинальное сообщение | Первоначальное сообщение |
    Оригінальне повідомлення | Вихідне повідомлення | Оригинално съобщение | Izvorna poruka | Originalna poruka |
    Izvirno sporočilo | Αρχικό μήνυμα | Özgün İleti | Orijinal Mesaj | Orijinal İleti | Missatge original | Thư gốc |
    Tin nhắn gốc | Pesan Asli | ข้อความต้นฉบับ | הודעה מקורית | الرسالة الأصلية | پیام اصلی | 原始邮件 | 原始郵件 |
    原始信件 | 邮件原件 | 元のメッセージ | 원본 메시지 | 원본 메일 | 원본메일
    """
)
#: The same for a mail that was passed on.
FORWARDED: Final = _words(
    """
    Forwarded message | Forwarded mail | Begin forwarded message | Start of forwarded message | Forwarded by |
    Weitergeleitete Nachricht | Anfang der weitergeleiteten Nachricht | Anfang der weitergeleiteten E-Mail |
    Weitergeleitet von | Message transféré | Début du message transféré | Début du message réexpédié | Message transmis |
    Courriel transféré | Mensaje reenviado | Inicio del mensaje reenviado | Mensagem encaminhada |
    Mensagem reencaminhada | Início da mensagem encaminhada | Início da mensagem reencaminhada | Messaggio inoltrato |
    Inizio messaggio inoltrato | Inizio del messaggio inoltrato | Doorgestuurd bericht | Begin doorgestuurd bericht |
    Vidarebefordrat meddelande | Vidarebefordrat brev | Påbörja vidarebefordrat meddelande | Videresendt meddelelse |
    Videresendt besked | Start på videresendt besked | Videresendt melding | Videresendt e-post |
    Start på videresendt melding | Välitetty viesti | Edelleenlähetetty viesti | Välitetty viesti alkaa |
    Edasi saadetud kiri | Przekazana wiadomość | Wiadomość przekazana | Początek przekazywanej wiadomości |
    Treść przekazanej wiadomości | Přeposlaná zpráva | Přeposílaná zpráva | Začátek přeposílané zprávy |
    Preposlaná správa | Továbbított üzenet | Továbbított levél | Mesaj redirecționat | Mesaj redirectionat |
    Пересылаемое сообщение | Пересланное сообщение | Перенаправленное сообщение | Начало переадресованного сообщения |
    Переслане повідомлення | Препратено съобщение | Proslijeđena poruka | Posredovano sporočilo | Προωθημένο μήνυμα |
    Yönlendirilmiş mesaj | İletilen mesaj | Yönlendirilen ileti | Missatge reenviat | Thư được chuyển tiếp |
    Pesan terusan | Pesan yang diteruskan | ข้อความที่ถูกส่งต่อ | הודעה שהועברה | الرسالة المعاد توجيهها | رسالة معاد توجيهها |
    转发的邮件 | 转发邮件信息 | 转发信息 | 轉寄的郵件 | 轉寄郵件 | 転送メッセージ | 転送されたメッセージ | 전달된 메시지 |
    전달된 메일
    """
)
#: In a line of its own, whatever stands around it: the answer stands above, all below is quoted.
REPLY_MARKERS: Final = _words(
    """
    reply above this line | write your reply above | type your reply above | enter your reply above |
    respond above this line | reply between these lines | antworten sie oberhalb dieser | oberhalb dieser zeile |
    oberhalb dieser linie | über dieser zeile antworten | au-dessus de cette ligne | au dessus de cette ligne |
    por encima de esta línea | encima de esta línea | acima desta linha | sopra questa riga | sopra questa linea |
    boven deze lijn | boven deze regel | ovanför den här raden | ovanför denna rad | over denne linje |
    over denne linjen | tämän rivin yläpuolelle | powyżej tej linii | nad tímto řádkem | nad tento řádek |
    выше этой строки | вище цього рядка | bu satırın üzerine | bu satırın üstüne | e sor fölé | deasupra acestei linii |
    πάνω από αυτή τη γραμμή | 在此行上方 | 在此線上方 | この行より上 | この行の上 | 이 줄 위에
    """
)
#: In a short reply: the answers stand within the quote.
ANSWERED_BELOW: Final = _words(
    """
    see below | see my answers | see my comments | see my replies | see answers | see comments | answers below |
    answers in | comments below | comments in | replies below | answered below | answered inline | replied inline |
    reply below | inline below | below in red | below in blue | in red below | in blue below | answers inline |
    comments inline | my answers are | see inline | siehe unten | s. unten | antworten unten | antworten im text |
    antworten in rot | in rot unten | unten in rot | rot markiert | im text unten | voir ci-dessous | voir plus bas |
    réponses ci-dessous | réponses en rouge | mes réponses dans | en rouge ci-dessous | véase abajo | ver abajo |
    respuestas abajo | respuestas en rojo | en rojo abajo | ver abaixo | respostas abaixo | em vermelho | vedi sotto |
    risposte sotto | in rosso | zie hieronder | antwoorden hieronder | in het rood | se nedan | svar nedan | se nedenfor |
    svar nedenfor | se under | katso alla | patrz niżej | odpowiedzi poniżej | na czerwono | viz níže | odpovědi níže |
    см. ниже | ответы ниже | красным | див. нижче | aşağıda | 见下文 | 以下に回答 | 아래 참조
    """
)
