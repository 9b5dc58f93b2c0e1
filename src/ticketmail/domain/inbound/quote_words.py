"""Words that mark quoted text, by language: what mail programs write around the mail that they answer.

Sources: the language packs of Thunderbird, Roundcube and SOGo; the texts of Gmail, Outlook, Apple Mail, Yahoo, Yandex and Zoho in
their languages, as they stand in mails; and the tables of talon, email_reply_trimmer, email-reply-parser and mail-parser-reply
(facts were taken, no code). A language is a row. Words are compared without regard to case. A bar parts words.
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
    Attributing("fo", "Tann", "skrivaði"),
    Attributing("et", "", "kirjutas"),
    Attributing("lv", "", "rakstīja"),
    Attributing("lt", "", "rašė|parašė"),
    Attributing("pl", "W dniu|Dnia", "napisał(a)|napisał/a|napisała|napisał|pisze|nadesłał|wiadomość napisana przez"),
    Attributing("cs", "Dne", "napsal(a)|napsala|napsal|píše"),
    Attributing("sk", "Dňa", "napísal(a)|napísal/a|napísala|napísal"),
    Attributing("hsb", "", "napisa|je pisał"),
    Attributing("hu", "", "írta|ezt írta|a következőt írta"),
    Attributing("ro", "În data de|În|La|Pe", "a scris"),
    Attributing("bg", "На", "написа|написа(ла)"),
    Attributing("mk", "На", "напиша"),
    Attributing("ru", "", "написал(а)|написала|написал|пишет|писал(а)|писал|вы писали"),
    Attributing("uk", "", "написав(ла)|написав/ла|написала|написав|пише|пишуть"),
    Attributing("be", "", "напісаў|напісала|піша"),
    Attributing("sr", "Дана|Dana", "је написао/ла|је написао|je napisao/la|je napisao|написао је|пише|piše"),
    Attributing("hr", "Dana", "je napisao/la|je napisala|je napisao|napisao je|napisala je|piše"),
    Attributing("sl", "Dne|V", "je napisal/-a|je napisal(a)|je napisala|je napisal|je oseba|napisal(a)|napisal"),
    Attributing("sq", "Më", "shkroi|ka shkruar"),
    Attributing("el", "Στις", "έγραψε|ο χρήστης"),
    Attributing("tr", "", "şunu yazdı|şunları yazdı|yazdı|yazmış"),
    Attributing("az", "", "yazıb|yazdı"),
    Attributing("uz", "", "yozdi|yozgan kun|yozgan"),
    Attributing("kk", "", "жазған|жазды"),
    Attributing("mn", "", "бичсэн"),
    Attributing("ka", "თარიღი", "დაწერა|წერს|წერდა"),
    Attributing("hy", "", "գրեց|գրել է"),
    Attributing("ca", "El|Al", "va escriure|escrigué|ha escrit|missatge de"),
    Attributing("rm", "", "ha scrit"),
    Attributing("ia", "Le", "ha scribite"),
    Attributing("eu", "", "idatzi du|igorleak hau idatzi zuen|igorleak idatzi zuen"),
    Attributing("gl", "O", "escribiu"),
    Attributing("cy", "Ar", "ysgrifennodd"),
    Attributing("ga", "Ar an|Ar", "scríobh"),
    Attributing("gd", "", "sgrìobh"),
    Attributing("br", "D'an/ar", "eo bet skrivet gant|skrivet eo bet gant"),
    Attributing("fy", "Op", "skreau"),
    Attributing("lb", "Den", "schreift|huet geschriwwen"),
    Attributing("af", "Op", "het geskryf|geskryf|skryf"),
    Attributing("eo", "Je", "skribis"),
    Attributing("ku", "Di", "nivîsî|nivîsand"),
    Attributing("vi", "Vào|Lúc", "đã viết|viết"),
    Attributing("id", "Pada", "menulis"),
    Attributing("ms", "Pada", "menulis|membalas"),
    Attributing("fil", "Noong", "isinulat ni"),
    Attributing("sw", "Mnamo", "aliandika"),
    Attributing("th", "เมื่อ|ในวันที่", "เขียนว่า|เขียน|เขียนเมื่อ"),
    Attributing("km", "", "បានសរសេរ"),
    Attributing("he", "בתאריך|ב-", "כתב/ה|כתב|כתבה|נכתב על ידי|מאת"),
    Attributing("ar", "في|على", "كتب|كتبت|تمت كتابة ما يلي بواسطة"),
    Attributing("fa", "در", "نوشته است|نوشت"),
    Attributing("ur", "", "نے لکھا"),
    Attributing("hi", "", "ने लिखा"),
    Attributing("mr", "", "ने लिहीले|ने लिहिले|यांनी लिहिले|लिहिले"),
    Attributing("ne", "", "ले लेख्नुभयो"),
    Attributing("bn", "", "লিখেছেন|লিখেছে|লিখেছিলেন"),
    Attributing("ta", "", "எழுதியது|எழுதினார்"),
    Attributing("pa", "", "ਨੇ ਲਿਖਿਆ"),
    Attributing("gu", "", "લખ્યું"),
    Attributing("te", "", "వ్రాశారు|రాశారు"),
    Attributing("kn", "", "ಬರೆದಿದ್ದಾರೆ"),
    Attributing("ml", "", "എഴുതിയിരിക്കുന്നു|എഴുതി"),
    Attributing("oc", "", "escriguèt|a escrich"),
    Attributing("fur", "", "al scrivè|al/e à scrit"),
    Attributing("zh", "在|于|於", "写道|寫道|写到|寫到|写于|寫於|撰写|写信|写了|来信|提到"),
    Attributing("ja", "", "は書きました|が書きました|さんのメール|のメール|のメッセージ"),
    Attributing("ko", "", "님이 작성|작성|님이 쓴 글|쓴 글|쓴 내용"),
)

#: *Quoting Ann <ann@example.net>:*, as Horde (IMP) begins an answer in its languages; no date, and no verb at the end.
QUOTING: Final = _words(
    "quoting|zitat von|zitiere|citando a|citando|mensaje citado por|missatge citat per|citeren|citerar|citat af|citerer|siterer"
    "|cituji|citácia|cytowanie|idézés|lainaus|цитирование|цитування|alıntı"
)

HEADINGS: Final = (
    Heading(
        "en", "From|Reply-To", "To", "Subject", "Sent|Sent on|Date sent", "Date", "Cc|Bcc|Importance|Attachments|Organization"
    ),
    Heading(
        "de",
        "Von|Absender",
        "An|Empfänger",
        "Betreff|Thema",
        "Gesendet|Gesendet am",
        "Datum",
        "Kopie|Antwort an|Wichtigkeit|Anlagen|Kopie (CC)|Organisation",
    ),
    Heading(
        "fr",
        "De|Expéditeur|Émetteur",
        "À|A|Destinataire|Pour",
        "Objet|Sujet",
        "Envoyé|Envoyé le|Date d'envoi",
        "Le",
        "Copie|Répondre à|Copie à|Pièces jointes",
    ),
    Heading("es", "De|Remitente", "Para|Destinatario", "Asunto", "Enviado|Enviado el|Enviado por", "Fecha", "Copia|Responder a"),
    Heading(
        "pt",
        "De|Remetente",
        "Para|Destinatário",
        "Assunto",
        "Enviado|Enviada em|Enviado em|Enviada",
        "Data",
        "Responder a|Responder para|Cópia",
    ),
    Heading("it", "Da|Mittente|Risposta", "A|Destinatario", "Oggetto", "Inviato|Inviato il", "Data", "Rispondi a|Priorità"),
    Heading("nl", "Van|Afzender", "Aan|Ontvanger", "Onderwerp", "Verzonden", "Datum", "Beantwoorden - Aan|Kopie"),
    Heading("sv", "Från|Avsändare", "Till|Mottagare", "Ämne", "Skickat", "Datum", "Kopia|Svar till"),
    Heading("da", "Fra|Afsender", "Til|Modtager", "Emne", "Sendt", "Dato", "Kopi|Svar til|Vedhæftet|Kopi til"),
    Heading("no", "Fra|Frå|Avsender|Avsendar", "Til|Mottaker|Mottakar", "Emne", "Sendt", "Dato", "Kopi|Kopi til"),
    Heading("fi", "Lähettäjä", "Vastaanottaja", "Aihe", "Lähetetty", "Päivämäärä|Pvm|Päiväys", "Kopio"),
    Heading("et", "Saatja|Kellelt", "Adressaat|Saaja|Kellele", "Teema|Pealkiri", "Saadetud", "Kuupäev", "Koopia"),
    Heading("lv", "No|Sūtītājs", "Kam|Uz", "Tēma|Temats", "Nosūtīts", "Datums", "Kopija"),
    Heading("lt", "Nuo|Siuntėjas|Kas", "Kam|Gavėjas", "Tema", "Išsiųsta", "Data", "Kopija"),
    Heading("pl", "Od|Nadawca", "Do|Adresat", "Temat", "Wysłano|Wysłane", "Data", "DW|UDW|Odpowiedź do"),
    Heading("cs", "Od|Odesílatel", "Komu|Adresát|Příjemce", "Předmět", "Odesláno", "Datum", "Kopie|Odpověď na"),
    Heading("sk", "Od|Odosielateľ", "Komu|Pre", "Predmet", "Odoslané", "Dátum", "Kópia|Odpovedať na"),
    Heading("hu", "Feladó|Küldő", "Címzett", "Tárgy", "Elküldve|Küldve", "Dátum", "Másolatot kap|Másolat|Válaszcím"),
    Heading(
        "ro",
        "De la|Din partea|Expeditor",
        "Către|Catre|Destinatar",
        "Subiect",
        "Trimis|Expediat",
        "Data|Dată",
        "Copie|Copie (CC)",
    ),
    Heading("bg", "От|Подател", "До|За|Получател", "Относно|Тема|Заглавие", "Изпратено", "Дата", "Копие|Копие до"),
    Heading("ru", "От|От кого|Отправитель", "Кому|Получатель", "Тема", "Отправлено|Дата отправки", "Дата", "Копия|Ответить"),
    Heading("uk", "Від|Від кого|Відправник", "Кому|Отримувач", "Тема", "Надіслано|Відправлено", "Дата", "Копія"),
    Heading(
        "hr", "Od|Šalje|Pošiljatelj|Pošiljalac", "Za|Prima|Kome", "Predmet|Tema|Naslov", "Poslano|Poslato", "Datum", "Kopija"
    ),
    Heading("sl", "Od|Pošiljatelj", "Za", "Zadeva", "Poslano", "Datum", "Kp"),
    Heading("el", "Από|Αποστολέας", "Προς|Παραλήπτης", "Θέμα", "Στάλθηκε|Εστάλη|Αποστολή", "Ημερομηνία", "Κοιν.|Κοινοποίηση"),
    Heading("tr", "Kimden|Gönderen|Gönderici", "Kime|Alıcı", "Konu", "Gönderilme Tarihi|Gönderildi", "Tarih", "Bilgi|Kopya"),
    Heading("ca", "De|Remitent", "Per a|A|Destinatari", "Assumpte|Tema", "Enviat|Enviat el", "Data", "Respon a"),
    Heading("vi", "Từ|Người gửi|Gửi từ", "Đến|Tới|Người nhận", "Chủ đề|Tiêu đề", "Đã gửi|Gửi lúc|Thời gian gửi", "Ngày", ""),
    Heading("id", "Dari|Pengirim", "Kepada|Ke|Penerima", "Subjek|Perihal|Judul", "Dikirim|Terkirim", "Tanggal", "Tembusan"),
    Heading("th", "จาก|ผู้ส่ง", "ถึง|ผู้รับ", "เรื่อง|หัวเรื่อง|หัวจดหมาย", "ส่งแล้ว|ส่งเมื่อ", "วันที่", "สำเนา|สำเนาถึง"),
    Heading("he", "מאת|השולח|שולח", "אל|עבור|נמען", "נושא|הנדון", "נשלח|נשלח ב", "תאריך", "עותק"),
    Heading(
        "ar",
        "من|المرسل|المرسِل|المُرسِل|مِن",
        "إلى|الى|المستقبل|المرسل إليه",
        "الموضوع",
        "أرسلت|تم الإرسال|تاريخ الإرسال",
        "التاريخ",
        "نسخة",
    ),
    Heading("fa", "از|فرستنده|ارسال کننده", "به", "موضوع", "ارسال شده", "تاریخ", "رونوشت"),
    Heading(
        "zh",
        "发件人|寄件者|寄件人|发送者|從",
        "收件人|收件者|到",
        "主题|主旨|主題",
        "发送时间|已发送|寄件日期|傳送時間",
        "日期",
        "抄送|副本",
    ),
    Heading("ja", "差出人|送信者|発信者", "宛先", "件名", "送信日時|送信済み", "日時|日付", "CC"),
    Heading("ko", "보낸 사람|보낸사람|보내는 사람", "받는 사람|받는사람", "제목", "보낸 날짜|보낸날짜", "날짜", "참조"),
    Heading("sr", "Од|Шаље|Пошиљалац", "За|Прима|Коме", "Наслов|Тема|Предмет", "Послато", "Датум", "Копија"),
    Heading("mk", "Од|Праќач", "До|Примач", "Наслов|Предмет", "Испратено", "Датум", "Копија"),
    Heading("be", "Ад|Ад каго|Адпраўнік", "Да|Каму", "Тэма", "Адпраўлена", "Дата", "Копія"),
    Heading("sq", "Nga|Dërgues|Dërguesi", "Për", "Subjekt|Subjekti", "Dërguar", "Datë|Data", ""),
    Heading("is", "Frá|Sendandi", "Til|Viðtakandi", "Efni|Titill|Viðfangsefni", "Sent", "Dagsetning", "Afrit"),
    Heading("fo", "Frá|Sendari", "Til", "Evni", "Sent", "Tann|Dato", ""),
    Heading("eu", "Nork|Igorlea|Bidaltzailea", "Nori", "Gaia", "Bidalia", "Data", "Kopia"),
    Heading("gl", "De|Remitente", "Para|Destinatario", "Asunto", "Enviado", "Data", ""),
    Heading("ast", "De", "Pa", "Asuntu", "Unviáu", "Data", ""),
    Heading("rm", "Da|Speditur", "A", "Object", "", "Data", ""),
    Heading("cy", "Oddi wrth|Anfonwr", "At|Derbyniwr", "Pwnc", "Anfonwyd", "Dyddiad", "Copi"),
    Heading("ga", "Ó|Seolaí|Seoltóir", "Chuig", "Ábhar|Ábhair", "Seolta", "Dáta", "Cóip"),
    Heading("gd", "O|Seòladair", "Gu", "Cuspair", "", "Ceann-là", ""),
    Heading("br", "A-berzh|Kaser|Eus", "Da", "Danvez|Sujed", "Kaset", "Deiziad|Deiz", ""),
    Heading("fy", "Fan|Ofstjoerder|Stjoerder", "Oan", "Underwerp|Ûnderwerp", "Ferstjoerd", "Datum", ""),
    Heading("lb", "Vun|Geschéckt vun", "Un", "Sujet", "Verschéckt", "Datum", ""),
    Heading("af", "Van|Afsender", "Aan", "Onderwerp", "Gestuur", "Datum", ""),
    Heading("hsb", "Wot|Wót|Wotpósłar", "Komu", "Tema", "", "Datum", ""),
    Heading("eo", "De|El|Sendanto|Sendinto", "Al|Ricevanto", "Temo", "Sendita", "Dato", ""),
    Heading("ku", "Şandyar", "Standyar", "Mijar", "Şandî", "Dîrok", ""),
    Heading("az", "Kimdən|Göndərən", "Kimə", "Mövzu", "Göndərilib", "Tarix", ""),
    Heading("uz", "Kimdan|Jo‘natuvchi|Jo`natuvchi", "Kimga|Qabul qiluvchi", "Mavzu", "", "Sana", ""),
    Heading("kk", "Кімнен|Жіберуші", "Кімге", "Тақырыбы|Тақырып", "Жіберілген", "Күні", "Көшірме"),
    Heading("mn", "Хэнээс|Илгээгч", "Хэнд", "Гарчиг|Сэдэв", "Илгээсэн", "Огноо", ""),
    Heading("hy", "Ումից|Ուղարկող|Ուղարկողը", "Ում|Ստացող", "Վերնագիր|Թեմա", "Ուղարկված", "Ամսաթիվ", ""),
    Heading("ka", "ვინ|გამგზავნი|გამგზავნელი", "ვის", "თემა|სათაური", "გაგზავნილი", "თარიღი", "ასლი"),
    Heading("ms", "Daripada|Pengirim", "Kepada", "Subjek", "Dihantar", "Tarikh", "Salinan"),
    Heading("sw", "Kutoka|Kutoka kwa", "Kwa", "Mada", "Imetumwa", "Tarehe", ""),
    Heading("fil", "Mula kay|Mula sa", "Kay|Para kay", "Paksa", "Ipinadala", "Petsa", ""),
    Heading("mt", "Minn", "Lil", "Suġġett", "Mibgħut", "Data", ""),
    Heading("hi", "प्रेषक|भेजने वाला", "प्राप्तकर्ता|पाने वाला|प्रति", "विषय|विशय", "भेजा गया", "दिनांक|तारीख|तिथि", ""),
    Heading("mr", "प्रेषक", "प्रती|प्रति", "विषय", "पाठवले", "दिनांक|तारिख", "प्रत"),
    Heading("bn", "প্রেরক|থেকে", "প্রাপক|প্রতি", "বিষয়", "প্রেরিত|পাঠানো", "তারিখ", ""),
    Heading("pa", "ਵੱਲੋਂ", "ਵੱਲ", "ਵਿਸ਼ਾ", "", "ਮਿਤੀ", ""),
    Heading("gu", "પ્રેષક", "પ્રતિ", "વિષય", "મોકલ્યું", "તારીખ", ""),
    Heading("ta", "அனுப்புனர்|அனுப்புநர்", "பெறுனர்|பெறுநர்", "தலைப்பு|பொருள்", "அனுப்பியது", "தேதி", "நகல்"),
    Heading("kn", "ಇಂದ", "ಗೆ", "ವಿಷಯ", "", "ದಿನಾಂಕ", ""),
    Heading("ml", "പ്രേഷിതന്‍|അയച്ചയാൾ", "സ്വീകര്‍ത്താവ്", "വിഷയം", "", "തീയതി", ""),
    Heading("si", "වෙතින්|යවන්නා", "වෙත", "මාතෘකාව", "", "දිනය", ""),
    Heading("km", "អ្នកផ្ញើ|ពី", "អ្នកទទួល|ទៅ", "ចំណងជើង|ប្រធានបទ", "", "កាលបរិច្ឆេត|កាលបរិច្ឆេទ", ""),
    Heading("ur", "منجانب|بھیجنے والا", "بنام", "موضوع|مضمون", "", "تاریخ", ""),
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
    原始信件 | 邮件原件 | 原始消息 | 元のメッセージ | 원본 메시지 | 원본 메일 | 원본메일 | Oorspronklike boodskap |
    الرسالة الأساسية | الرسالة الأصليَّة | Mensaxe orixinal | Orijinal məktub | Зыходнае паведамленне |
    Арыгінальнае паведамленне | Оригинално писмо | Kemennadenn orin | Kemennadenn orinel | Neges Wreiddiol |
    Original besked | Originalna powěsć | Originala mesaĝo | Esialgne kiri | Jatorrizko mezua | Uppruna boð |
    Courriel original | Oarspronklik berjocht | Teachtaireacht Bhunaidh | An teachtaireacht bhunaidh |
    An teachdaireachd thùsail | Բնօրինակ նամակը | Առաջին հաղորդագրությունը | Upprunalegur póstur | Upprunaleg skilaboð |
    საწყისი წერილი | ორიგინალი შეტყობინება | Түпнұсқа хабарламасы | សារដើម | ಮೂಲ ಸಂದೇಶ | Peyama orîjînal |
    Original-Message | Originalus laiškas | Sākotnējā vēstule | Оригинална порака | Оригинална порука | Изворна порука |
    യഥാര്‍ഥ സന്ദേശം | खरा संदेश | मूल संदेश | Mesej Asal | Oorspronkelijke bericht | Opphavleg melding |
    Treść oryginalnej wiadomości | Messadi original | Izvorno sporočilo | Mesazhi Origjinal | ข้อความเดิม |
    Початкове повідомлення | Asl xabar | Asl xat |
    Oprindeligt brev | Opprinneleg melding | मौलिक संदेश | मुळ संदेश | Algupärane sõnum | 原始信息 | Isi Pesan Asli |
    Mesazhi orgjinal | Messatge d'origina | Mensax orixinal | Mensache orichinal
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
    전달된 메일 | رسالة ممرّرة | Mensaxe reunviáu | Mensaxe reenviada | Mensaxe reencamiñada | Перанакіраванае паведамленне |
    Препратено писмо | Dalej pósrědnjona powěsć | Dale sposrědkowana powěsć | Edastatud kiri | Birbidalitako mezua |
    Trochstjoerd berjocht | Teachtaireacht Ar Aghaidh | An teachdaireachd a tha ’ga shìneadh air adhart |
    Փոխանցվող նամակը | Pesan Diteruskan | Áframsendur póstur | გადაგზავნილი წერილი | Әрі қарай жіберілген хабарлама |
    Persiųstas laiškas | Pārsūtītā vēstule | Mesej Dikirim Semula | Vidaresend melding | Messadi renvià |
    Mesazhi i Përcjellë | Прослеђена порука | Prosleđena poruka | ข้อความที่ส่งต่อ | İletilen İleti | Uzatilgan xabar |
    Tin nhắn đã được chuyển tiếp | 转发的消息 | 转发邮件 | Przekazywana wiadomość | Wiadomość przekazywana |
    Mesaj înaintat | Перанакіроўны ліст | Перасланае паведамленне | پیام ارسال مجدد شده | پیام ارجاع داده شده |
    Mesej dimajukan | Plusendita mesaĝo | Пересланий лист | Messatge transferit | 轉寄的訊息 | 轉遞的郵件 | 转发的信息 |
    Edasisuunatud kiri | Edastatud sõnum | Қайта бағдарланған хат | Aangestuurde boodskap | Videresendt brev |
    転送するメッセージ | Thư đã chuyển tiếp | Pārsūtīta vēstule | Ďalej odoslaná správa | Ötürülülən Məktub | הודעה מועברת |
    अग्रेषित संदेश | ข้อความส่งต่อ | Yönlendirilmiş İleti | Препратена порака | Neges Yrrwyd Ymlaen
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
