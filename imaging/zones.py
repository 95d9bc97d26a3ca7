"""Gruen zones 1-7 of the stem and DeLee-Charnley zones I-III of the cup (AP view).

Gruen 1 is lateral-proximal, 4 lies at the tip, 7 medial-proximal; DeLee-Charnley I is superolateral, III inferomedial.
Gruen TA et al., Clin Orthop 1979;(141):17-27. DeLee JG, Charnley J, Clin Orthop 1976;(121):20-32.
"""

from __future__ import annotations

GRUEN_ZONES: tuple[str, ...] = ("1", "2", "3", "4", "5", "6", "7")
CUP_ZONES: tuple[str, ...] = ("I", "II", "III")
ZONES: tuple[str, ...] = GRUEN_ZONES + CUP_ZONES
