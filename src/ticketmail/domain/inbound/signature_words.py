"""What phones, mail programs, companies and mailing lists put below a mail, by language.

Sources: the default signatures of iOS, Android, Samsung, Outlook, Windows Mail, Yahoo, GMX, K-9, BlackBerry in their languages,
as they stand in mails; the tables of email_reply_trimmer, email-reply-parser and mail-parser-reply; common disclaimers. Case does
not count.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    """Phrases that stand between bars, over several lines."""
    return tuple(" ".join(one.split()) for one in text.split("|"))


#: Programs that name themselves: *Sent from Superhuman*.
PRODUCTS: Final = _words(
    """
    fastmail | tutanota | tuta | superhuman | mailspring | front | missive | canary | newton | em client | aquamail |
    workspace one boxer | boxer | zoho | mailtrack | hey | yandex | gmx | web.de | thunderbird | k-9 | edison | shortwave |
    postbox | mailbird | polymail | airmail | spike | blackberry | windows | android | ios | iphone | ipad | galaxy | huawei |
    xiaomi | pixel | gmail | outlook | yahoo | aol | proton | samsung | nine | spark | typeapp | bluemail | t-online | orange |
    kontact | kmail | geary | evolution | nextcloud | roundcube | mimestream | readdle | honor | oppo | oneplus | vivo | redmi |
    motorola | nokia | sony | xperia | lg | htc | lumia | kindle
    """
)
#: A whole line: *Sent from my iPhone*. ``{}`` is up to some words without a comma: a device, an app.
TAGLINES: Final = _words(
    """
    sent from my {} | sent from {} for ios{} | sent from {} for android{} | sent from {} for windows{} |
    sent from mail for {} | sent from outlook{} | sent from yahoo{} | sent from gmail{} | sent from {} mail{} |
    sent from {} mobile{} | sent from mobile{} | sent from a mobile{} | sent from a phone{} | sent from {}phone{} |
    sent from samsung{} | sent from {}app<{} | sent from acompli | sent from typeapp{} | sent from bluemail{} |
    sent from nine{} | sent from spark{} | sent from polymail{} | sent from proton{} | sent from aol{} |
    sent via {} mobile{} | sent via mobile{} | sent with {} mail{} | sent with airmail{} | sent with spark{} |
    sent with proton{} | sent with sparrow{} | sent with shift{} | sent with k-9{} | sent by {} mobile{} | sent by galaxy{} |
    sent on the go{} | sent from the {} app{} | sent using {} app{} | sent using {} mail{} | get outlook for {} |
    get bluemail for {} | download {} for ios{} | please excuse my brevity{} | from my iphone{} | from my ipad{} |
    from my android{} | from my phone{} | from my blackberry{} | from my mobile{} | yahoo mail: {} | yahoo mail on {} |
    von meinem {} gesendet | von {} gesendet | gesendet von {} | gesendet mit {} | gesendet aus {} | gesendet über {} |
    gesendet vom {} | mit {} mail gesendet | mit {} app gesendet | diese nachricht wurde von {} gesendet |
    diese e-mail wurde von {} gesendet | von unterwegs gesendet{} | holen sie sich outlook für {} | outlook für {} beziehen |
    outlook für {} herunterladen | envoyé de mon {} | envoyé depuis {} | envoyé à partir de {} | envoyé avec {} |
    envoyé par {} mobile{} | télécharger outlook pour {} | obtenir outlook pour {} | obtenez outlook pour {} |
    provenance : courrier pour {} | enviado desde {} | enviado con {} | enviado por {} móvil{} | obtener outlook para {} |
    descargar outlook para {} | enviado do meu {} | enviado a partir do {} | enviado pelo meu {} | enviado pelo {} |
    enviada do meu {} | obter o outlook para {} | obtenha o outlook para {} | baixe o outlook para {} | inviato da {} |
    inviato dal {} | inviato con {} | scarica outlook per {} | ottieni outlook per {} | verzonden vanaf mijn {} |
    verzonden met {} | verzonden vanuit {} | verstuurd vanaf mijn {} | verstuurd met {} | verstuurd vanuit {} |
    outlook voor {} downloaden | download outlook voor {} | haal outlook voor {} | skickat från {} | skickat med {} |
    från min {} | hämta outlook för {} | skaffa outlook för {} | sendt fra {} | sendt med {} | hent outlook til {} |
    få outlook til {} | last ned outlook for {} | skaff deg outlook for {} | få outlook for {} | lähetetty iphone{} |
    lähetetty ipad{} | lähetetty {}puhelimesta | lähetetty {}laitteesta | lähetetty outlook{} | hanki outlook {} |
    saadetud minu {} | nosūtīts no mana {} | išsiųsta iš mano {} | wysłano z {} | wysłane z {} |
    pobierz program outlook dla {} | pobierz aplikację outlook dla {} | odesláno z {} | odesláno pomocí {} |
    získat outlook pro {} | odoslané z {} | získať outlook pre {} | az iphone-omról küldve | elküldve az {} |
    iphone-ról küldve{} | trimis de pe {} | trimis din {} | obțineți outlook pentru {} | отправлено с {} | отправлено из {} |
    послано с {} | скачайте outlook для {} | надіслано з {} | відправлено з {} | изпратено от {} | poslano s mog {} |
    poslano z mojega {} | poslato sa {} | στάλθηκε από {} | εστάλη από {} | iphone'umdan gönderildi | iphone'dan gönderildi |
    {} cihazımdan gönderildi | enviat des de {} | được gửi từ {} | đã gửi từ {} | gửi từ {} | dikirim dari {} | ส่งจาก {} |
    ส่งจากiphone{} | נשלח מה{} | נשלח מ{} | أرسلت من {} | تم الإرسال من {} | 发自我的{} | 从我的{}发送 | 從我的{}傳送 |
    從我的 {} 傳送 | 發自我的{} | 发送自{} | 发自{}邮箱{} | 发自{}手机{} | 发自outlook{} | 发自 outlook{} |
    获取 outlook for {} | 取得 {}版 outlook | iphoneから送信 | ipadから送信 | {}から送信 | outlook for {} を入手 |
    나의 {}에서 보냄 | 내 {}에서 보냄 | {}에서 보냄 | {}에서 발송 | skickas från {} | envoyé à partir d'{} |
    az {} készülékemről küldve | poslano s mojeg{} | poslano iz {} | {}'umdan gönderildi | {}'dan gönderildi |
    {}'den gönderildi | {} için outlook'u edinin | أُرسلت من {} | أرسل من {} | ارسال شده از {} | ارسال‌شده از {} |
    मेरे {} से भेजा गया | {} से भेजा गया | dihantar dari {} | {}アプリから送信 | 獲取 {}版 outlook | 获取 {}版 outlook |
    下载 outlook for {} | 下載 {}版 outlook | {}용 outlook 다운로드 | enviat des de{} | enviado dende {} | seolta ó mo {} |
    anfonwyd o fy {} | sent út frá {} | sendt úr {} | poslano z {} | poslané z {} | išsiųsta iš {} | nosūtīts no {} |
    saadetud {} seadmest | dapatkan outlook untuk {} | dapatkan outlook for {} | tải outlook cho {} |
    prenez outlook pour {} | získajte outlook pre {} | stiahnuť outlook pre {} | stáhněte si outlook pro {} |
    az outlook {} letöltése | λήψη του outlook για {} | отримати outlook для {} | отримайте outlook для {} |
    изтегляне на outlook за {} | preuzmite outlook za {} | prenesite outlook za {} | poslano s {}phone{} |
    poslano s {}pad{} | dihantar daripada {} | obter outlook para {} | získejte outlook pro {} |
    szerezze be az outlook {} verzióját | az outlook beszerzése {} | получить outlook для {} | αποκτήστε το outlook για {} |
    קבל את outlook עבור {} | השג את outlook עבור {} | الحصول على outlook ل{} | {} 版 outlook を入手 | outlook for {} を取得 |
    {}용 outlook 가져오기 | 获取适用于 {} 的 outlook | nhận outlook cho {} | รับ outlook สำหรับ {} |
    yahoo mail: search, organize, conquer | enviado do {} no android | enviado do {} para {} | skickades från {} för {} |
    {} ile gönderildi | 从 {} 版邮件发{} | secured with tuta{} | sent with tuta{} |
    diese e-mail wurde mit der {} app gesendet | aus meinem iphone{} | mobil gesendet{} | vom handy gesendet{} |
    послато са мог {} | послато са {} | sent from my {}, {} smartphone | sent via the {}, an {} smartphone
    """
)
#: How a paragraph of legal text begins, at the end of a mail.
DISCLAIMERS: Final = _words(
    """
    disclaimer | confidentiality notice | confidential notice | confidentiality: | privileged notice | privacy notice: |
    legal notice | important notice: | important note: | this e-mail and any | this email and any | this message and any |
    this email message and any | this e-mail message and any | this email is confidential | this e-mail is confidential |
    this email may contain confidential | this e-mail may contain confidential | this email contains confidential |
    this e-mail contains confidential | this message contains confidential | this message may contain confidential |
    this transmission | this communication is confidential | this communication and any | this electronic message |
    this e-mail, including | this email, including | this message is intended | this email is intended |
    this e-mail is intended | this message (including | this email (including | this e-mail (including |
    the information contained in this | the information in this e | the information transmitted | the contents of this e |
    the content of this e | any views or opinions | if you are not the intended recipient | if you have received this |
    please consider the environment | please think about the environment | think before you print | before printing |
    save a tree | scanned by | this email has been scanned | this message has been scanned |
    this email has been checked for viruses | virus-free | caution: this email originated | caution: external |
    external email: | warning: this email originated | diese e-mail enthält | diese e-mail kann |
    diese e-mail ist vertraulich | diese email enthält | diese mail enthält | diese nachricht enthält vertrauliche |
    diese nachricht ist vertraulich | der inhalt dieser e-mail | der inhalt dieser mail | die information in dieser |
    die informationen in dieser | dieses e-mail | vertraulichkeitshinweis | haftungsausschluss | wichtiger hinweis: |
    bitte denken sie an die umwelt | bitte prüfen sie, ob | virenfrei | ce message et toutes les pièces |
    ce message et les pièces | ce message et ses pièces | ce courriel et | ce courrier électronique |
    ce message est confidentiel | ce message contient | les informations contenues dans ce | avis de confidentialité |
    pensez à l'environnement | pensez à l’environnement | avant d'imprimer | garanti sans virus | este mensaje y sus |
    este mensaje y los | este mensaje contiene | este mensaje puede contener | este mensaje se dirige |
    este correo electrónico y | este correo electrónico contiene | este correo y | la información contenida en este |
    aviso legal | aviso de confidencialidad | antes de imprimir | libre de virus | esta mensagem e |
    esta mensagem contém | esta mensagem pode conter | esta mensagem, incluindo | este e-mail e | este email e |
    aviso de confidencialidade | livre de vírus | questo messaggio e | questo messaggio di posta | questa e-mail |
    questa comunicazione | le informazioni contenute in | il presente messaggio | il contenuto di questa |
    avviso di riservatezza | privacy: | prima di stampare | questo messaggio e' stato analizzato | dit bericht is |
    dit bericht kan | dit bericht en | deze e-mail is | deze e-mail en | deze e-mail kan | de informatie in deze |
    de inhoud van dit | de informatie verzonden | detta meddelande | detta e-postmeddelande | informationen i detta |
    denne e-mail | denne mail kan | denne e-post | denne meddelelse | denne e-posten | informasjonen i denne |
    tämä viesti | tämä sähköposti | ta wiadomość | niniejsza wiadomość | wiadomość ta | informacje zawarte w |
    treść tej wiadomości | tento e-mail | tato zpráva | táto správa | ez az üzenet | az üzenet és annak | acest mesaj |
    acest e-mail | это сообщение | данное сообщение | настоящее сообщение | это электронное | данное электронное |
    цей лист | це повідомлення | това съобщение | ova poruka | to sporočilo | το παρόν μήνυμα | αυτό το μήνυμα |
    bu e-posta | bu mesaj | bu elektronik posta | 本邮件 | 此邮件 | 本電子郵件 | 此電子郵件 | 免责声明 | このメール |
    本メール | 이 메일 | 이 이메일 | 본 메일
    """
)
#: Below a row of underscores or dashes: what list software adds to every mail (Mailman, Sympa, Google Groups).
LIST_FOOTERS: Final = _words(
    """
    mailing list | mailing-list | mailingliste | mailinglijst | maillist | listinfo | /mailman/ | to unsubscribe |
    unsubscribe from this group | you received this message because you are subscribed | list-unsubscribe | lists. |
    liste de diffusion | lista de correo | lista de distribución | listserv | groups.google.com | to post to this group |
    abmelden
    """
)
#: Somewhere in legal text: confidence, addressees, liability, viruses, the environment, mail from outside.
LEGAL_WORDS: Final = _words(
    """
    confiden | privileg | intended | recipient | addressee | unauthor | liab | disclaim | opinion | views | virus | scan |
    print | environ | legal | external | outside | originated | in error | received this | vertraulich | empfänger |
    irrtüm | haft | umwelt | ausdruck | destinat | imprim | riserv | stampa | vertrouwelijk | geadresseerde | fortrolig |
    konfidentiel | mottaker | mottagare | modtager | luottamuksel | konfidentsiaal | poufn | adresat | důvěrn | dôvern |
    bizalmas | címzett | конфиденц | конфіденц | адресат | поверит | povjerlj | poverlj | zaupn | εμπιστευτ | gizli |
    alıcı | 机密 | 機密 | 保密 | 收件人 | 受信者 | 秘密 | 비밀 | 기밀 | 수신인
    """
)
#: How gateways (Exchange, Google, Proofpoint, Mimecast) begin what they write above mail from outside.
BANNERS: Final = _words(
    """
    caution: this email originated | caution: this e-mail originated | caution: this message originated |
    caution: external | caution external | caution! external | warning: this email originated |
    warning: this e-mail originated | warning: external | external email | external e-mail | external message |
    external sender | external: | external mail | external] | ext] | this email originated from outside |
    this e-mail originated from outside | this message originated from outside | this message was sent from outside |
    this email was sent from outside | this email came from outside | this email is from an external |
    this message is from an external | you don't often get email from | you don’t often get email from |
    some people who received this | attention: this email originated | achtung: diese e-mail | achtung: externe |
    achtung: diese nachricht | vorsicht: externe | vorsicht: diese e-mail | externe e-mail | externe nachricht |
    sie erhalten nicht oft | sie erhalten nicht häufig | attention : ce courriel | attention: ce courriel |
    attention : courriel externe | courriel externe | e-mail externe | ce courriel provient de l |
    ce message provient de l | vous n’obtenez pas souvent | vous n'obtenez pas souvent | precaución: este correo |
    atención: correo externo | correo externo | este correo se originó fuera | attenzione: questa e-mail proviene |
    mail esterna | let op: deze e-mail is afkomstig | externe mail | varning: detta e-postmeddelande |
    advarsel: denne e-mail | uwaga: wiadomość z zewnątrz | uwaga: ten e-mail | внимание: внешн | внешнее письмо |
    外部邮件 | 【外部邮件】 | 外部メール
    """
)
