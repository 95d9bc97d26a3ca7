"""Radiolucent lines inserted into real radiographs: pairs of films that differ in one known line only.

    films.py      the table of real films, and each replaced hip cut out as training sees it
    outlines.py   where metal, stem interface and cup interface are in a film
    lines.py      a line along an interface: planned by the label rule, drawn with rim, blur and texture
    command.py    `python -m training insert`: every hip with its originals, lines, look-alikes and shams, as shards

Lesion insertion is an accepted way to get ground truth that no reader can give: the original and the altered film share
patient, implant, exposure and processing, so nothing but the line can be learned from the pair.
"""
