"""SVG files made light: the layout of the pages takes time for every element.

Text stays text, in the report's own font, so that a page can be searched and a figure is small. The
font is the one that the pages bring; without it (a figure file opened alone) fonts of nearly the
same widths stand in.
"""

import re
from xml.etree import ElementTree as Tree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
FAMILY = "Report,DejaVu Sans,Verdana,sans-serif"
_HREF = f"{{{XLINK}}}href"
_LONG = re.compile(r"(\.\d\d)\d+")  # a hundredth of a point is less than any eye or printer sees
_FAMILY = re.compile(r"font-family: [^;]*")
_LEVEL = re.compile(r"rotate\(-?0(\.0+)? [^)]*\)")
_LINK = re.compile(r"#([\w.:-]+)")
_COORDINATES = ("d", "x", "y", "width", "height", "transform")


def lean(text: str, name: str) -> str:
    """The SVG that matplotlib wrote, without what nothing needs.

    name: of the figure: begins each id that is kept, so that several figures may share a page.
    """
    root = Tree.fromstring(text)
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{{{SVG}}}metadata" or child.find(f"{{{SVG}}}style") is not None:
                parent.remove(child)
    wanted = {match for node in root.iter() for value in _links(node) for match in value}
    for node in root.iter():
        _shorten(node, wanted, name)
    _unwrap(root)
    # What the style sheet said of all elements, in a way that stays inside this figure.
    root.set("stroke-linejoin", "round")
    root.set("stroke-linecap", "butt")
    for prefix, space in (("", SVG), ("xlink", XLINK)):
        Tree.register_namespace(prefix, space)
    return Tree.tostring(root, encoding="unicode") + "\n"


def _links(node: Tree.Element) -> list[list[str]]:
    return [
        _LINK.findall(value)
        for key, value in node.attrib.items()
        if key == _HREF or value.startswith("url(")
    ]


def _shorten(node: Tree.Element, wanted: set[str], name: str) -> None:
    """Fewer digits, no id that nothing refers to, the report's font."""
    for key, value in list(node.attrib.items()):
        if key == "id":
            if value in wanted:
                node.set(key, f"{name}-{value}")
            else:
                del node.attrib[key]
        elif key == _HREF or value.startswith("url("):
            node.set(key, _LINK.sub(rf"#{name}-\1", value))
        elif key == "transform" and _LEVEL.fullmatch(value):
            del node.attrib[key]
        elif key in _COORDINATES:
            node.set(key, _LONG.sub(r"\1", " ".join(value.split())))
        elif key == "style":
            node.set(key, _FAMILY.sub(f"font-family: {FAMILY}", value))
    node.tail = None
    if node.text and not node.text.strip():
        node.text = None


def _unwrap(parent: Tree.Element) -> None:
    """Groups that say nothing are replaced by what they hold."""
    children: list[Tree.Element] = []
    for child in list(parent):
        _unwrap(child)
        if child.tag == f"{{{SVG}}}g" and not child.attrib:
            children += list(child)
        elif child.tag not in (f"{{{SVG}}}defs", f"{{{SVG}}}g") or len(child):
            children.append(child)
    parent[:] = children
