"""Domains of mail for everybody: that two people have addresses there makes them no colleagues."""

from __future__ import annotations

from typing import Final

_NAMES: Final = """
    gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.it live.com
    live.de live.fr live.co.uk msn.com yahoo.com yahoo.co.uk yahoo.co.jp yahoo.co.in yahoo.de yahoo.fr yahoo.it yahoo.es
    yahoo.com.br ymail.com rocketmail.com aol.com icloud.com me.com mac.com proton.me protonmail.com pm.me tutanota.com tuta.com
    gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de posteo.de mailbox.org orange.fr wanadoo.fr free.fr
    laposte.net sfr.fr libero.it virgilio.it tiscali.it alice.it telefonica.net terra.es terra.com.br uol.com.br bol.com.br
    ig.com.br mail.ru bk.ru list.ru inbox.ru yandex.ru yandex.com rambler.ru ukr.net wp.pl o2.pl onet.pl interia.pl seznam.cz
    centrum.cz abv.bg freemail.hu bluewin.ch hispeed.ch telenet.be skynet.be ziggo.nl kpnmail.nl planet.nl btinternet.com sky.com
    virginmedia.com talktalk.net comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net rogers.com
    bigpond.com optusnet.com.au xtra.co.nz qq.com foxmail.com 163.com 126.com yeah.net sina.com sohu.com 139.com naver.com
    daum.net hanmail.net docomo.ne.jp ezweb.ne.jp softbank.ne.jp rediffmail.com zoho.com fastmail.com fastmail.fm hey.com mail.com
"""
#: The largest of their countries. One that is missing here makes strangers colleagues only where DMARC proves the author and the
#: mail answers a Message-ID of the ticket.
PUBLIC: Final = frozenset(_NAMES.split())
