"""When the United States allow marketing texts, by the state that a number's area code belongs to.

47 CFR 64.1200(c)(1): 8:00 to 21:00 on the recipient's clock. Some states allow less (Fla. Stat.
501.616, Md. Com. Law 14-4503, Miss. Code 77-3-723, N.J.S. 56:8-130, 15 Okla. Stat. 775C.4, Conn.
Gen. Stat. 42-288a, Tex. Bus. & Com. 301.051). Numbers move with people: who has one of a stricter
state and lives elsewhere is treated as if at home.
"""

from collections.abc import Mapping
from datetime import datetime, time

_SUNDAY = 6

_AREA_CODES: Mapping[str, str] = {
    "CT": "203 475 860 959",
    "FL": "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 "
    "954",
    "MD": "227 240 301 410 443 667",
    "MS": "228 601 662 769",
    "NJ": "201 551 609 640 732 848 856 862 908 973",
    "OK": "405 539 572 580 918",
    "TX": "210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 "
    "915 936 940 945 956 972 979",
}
_STATE_OF = {code: state for state, codes in _AREA_CODES.items() for code in codes.split()}

_EARLY, _LATE = time(8), time(21)
_UNTIL_20 = (time(8), time(20))
_HOURS = dict.fromkeys(("FL", "MD", "MS", "NJ", "OK"), _UNTIL_20) | {"CT": (time(9), time(20))}


def is_quiet_by_law(e164: str, local: datetime) -> bool:
    """Whether marketing must wait, where the number has this local time; for numbers of +1."""
    state = _STATE_OF.get(e164[2:5])
    start, end = _HOURS.get(state or "", (_EARLY, _LATE))
    if state == "TX" and local.weekday() == _SUNDAY:
        start = time(12)
    return not start <= local.time() < end
