"""Kinds of files by the ends of their names. Sources: what Outlook and Gmail block, and what runs or mounts on a click.

A list of ends is a hint for people and for a host's policy; what the bytes say goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_RUNS: Final = """
ade adp apk app appcontent-ms application appref-ms appx appxbundle asp aspx asx bas bat bgi cab cdxml cer chm cmd cnt com
command cpl crt csh der desktop diagcab dll dmg dylib elf exe fxp gadget grp hlp hpj hta htc inf ins inx iqy ipa isp isu its
jar jnlp job js jse ksh lnk mad maf mag mam maq mar mas mat mau mav maw mcf mda mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2
msh2xml mshxml msi msix msixbundle msp mst msu ocx ops osd out paf pcd pif pkg pl plg prf prg printerexport ps1 ps1xml ps2
ps2xml psc1 psc2 psd1 psdm1 psm1 pst py pyc pyo pyw pyz pyzw rb reg rgs run scf scr sct search-ms settingcontent-ms sh shb shs
slk sys theme themepack tmp u3p udl url vb vbe vbp vbs vbscript vhd vhdx vsmacros vsw vxd webpnp website workflow ws wsb wsc
wsf wsh xbap xll xnk xpi
"""
#: They run, install, mount or change settings when they are opened.
DANGEROUS: Final = frozenset(_RUNS.split())
_MARKUP: Final = """
htm html mht mhtml shtml xht xhtml xml xsl xslt svg svgz swf pht phtml php php3 php4 php5
"""
#: Shown by a browser as a page of the host's own site, they act in its users' name: serve them as files, in a sandbox.
ACTIVE: Final = frozenset(_MARKUP.split())
_WITH_MACROS: Final = """
docm dotm xlsm xltm xlam xlsb pptm potm ppam ppsm sldm one
"""
#: Office files that may hold programs.
MACROS: Final = frozenset(_WITH_MACROS.split())
_PACKED: Final = """
7z ace alz arc arj bz bz2 cbr gz gzip img iso lha lzh r00 r01 rar tar taz tbz tbz2 tgz txz tz udf wim xar xz z zip zipx zst
"""
#: They hold other files, which nobody has looked at.
ARCHIVES: Final = frozenset(_PACKED.split())
#: Types of the bytes that are programs, whatever the name says.
PROGRAMS: Final = frozenset(
    ("application/vnd.microsoft.portable-executable", "application/x-elf", "text/x-script", "application/x-ms-shortcut")
)
#: End of a name -> the types of bytes that such a file has. Others are not compared.
BYTES_OF: Final[Mapping[str, frozenset[str]]] = {
    "pdf": frozenset(("application/pdf",)),
    "png": frozenset(("image/png",)),
    "jpg": frozenset(("image/jpeg",)),
    "jpeg": frozenset(("image/jpeg",)),
    "gif": frozenset(("image/gif",)),
    "bmp": frozenset(("image/bmp",)),
    "webp": frozenset(("image/webp",)),
    "zip": frozenset(("application/zip",)),
    "docx": frozenset(("application/zip", "application/x-ole-storage")),  # OLE: encrypted
    "xlsx": frozenset(("application/zip", "application/x-ole-storage")),
    "pptx": frozenset(("application/zip", "application/x-ole-storage")),
    "doc": frozenset(("application/x-ole-storage", "application/rtf", "application/zip", "text/html")),
    "xls": frozenset(("application/x-ole-storage", "application/zip", "text/html")),
    "ppt": frozenset(("application/x-ole-storage", "application/zip")),
    "txt": frozenset(("",)),
    "csv": frozenset(("",)),
    "rar": frozenset(("application/vnd.rar",)),
    "gz": frozenset(("application/gzip",)),
    "mp4": frozenset(("video/mp4",)),
}
#: Names that Windows keeps for devices (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
RESERVED: Final = frozenset(("con", "prn", "aux", "nul", *(f"com{at}" for at in range(10)), *(f"lpt{at}" for at in range(10))))
