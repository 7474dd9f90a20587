"""Reads what the annotation writers wrote with other people's readers, and holds it against `expected`.

Rules of each program: QuPath's GeoJSON reader, ASAP's and ImageScope's XML loaders, pycocotools, tifffile, pypdf.
"""
import csv
import json
import sys
from pathlib import Path

try:
    import numpy as np
    import shapely
    import tifffile
    from lxml import etree
    from pypdf import PdfReader
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO
    from shapely.geometry import LineString, MultiPolygon, Polygon, shape
except ImportError as missing:
    sys.exit(f"not installed: {missing}")
if "--are-readers-here" in sys.argv:
    sys.exit(0)

AREA_SHARE = 0.005
PLACE_PX = 0.005
worst = {}


def compare_area(writer, case, expected, found):
    share = abs(expected - found) / max(expected, 1.0)
    worst[writer] = max(worst.get(writer, 0.0), share)
    assert share <= AREA_SHARE, f"{writer} {case}: area {expected}, found {found}"


def compare_bounds(writer, case, expected, found, tolerance=PLACE_PX):
    off = max(abs(a - b) for a, b in zip(expected, found))
    assert off <= tolerance, f"{writer} {case}: bounds {expected}, found {found}"


def moved(bounds, corner):
    x, y = corner
    return [bounds[0] - x, bounds[1] - y, bounds[2] - x, bounds[3] - y]


def check_qupath(case, folder):
    """QuPath's frame is cropped to the bounds; UUID ids; a color in every class; closed rings; text metadata."""
    file = json.loads((folder / f"{case['name']}.geojson").read_text(encoding="utf-8"))
    assert file["type"] == "FeatureCollection"
    corner = case["corner"] or [0, 0]
    frame = file["slidelight"]["frame"]
    assert [frame["x"], frame["y"]] == corner
    assert file["slidelight"]["provenance"]["weights_sha256"] == "abc--def"
    assert len(file["features"]) == len(case["annotations"])
    for expected, feature in zip(case["annotations"], file["features"]):
        import uuid

        assert uuid.UUID(feature["id"]).version == 4 and feature["id"] == expected["id"]
        properties = feature["properties"]
        assert properties["classification"] == {"name": expected["class"], "color": expected["color"]}
        assert properties["name"] == expected["name"]
        assert all(isinstance(value, str) for value in properties["metadata"].values())
        assert all(isinstance(value, float) for value in properties["measurements"].values())
        assert any("µm" in name for name in properties["measurements"]) == (case["mpp"] is not None)
        geometry = feature["geometry"]
        assert geometry["type"] in ("Polygon", "MultiPolygon", "LineString")
        if geometry["type"] == "Polygon":
            assert all(ring[0] == ring[-1] and len(ring) >= 4 for ring in geometry["coordinates"])
        found = shape(geometry)
        assert found.is_valid, shapely.is_valid_reason(found)
        compare_bounds("QuPath GeoJSON", case["name"], moved(expected["bounds"], corner), found.bounds)
        if expected["is_area"]:
            compare_area("QuPath GeoJSON", case["name"], expected["area"], found.area)
            parts = found.geoms if isinstance(found, MultiPolygon) else [found]
            assert sum(len(part.interiors) for part in parts) == expected["holes"]


def without(outers, holes):
    """Each outline without the holes whose smallest outline it is."""
    left = list(outers)
    for hole in holes:
        around = [i for i, it in enumerate(outers) if it.buffer(0.01).contains(hole) and it.area > hole.area]
        assert around, "a hole lies in no outline"
        i = min(around, key=lambda i: outers[i].area)
        left[i] = left[i].difference(hole)
    return left


def enclosed(points):
    """What a ring encloses: a bridge to a hole has no width, and the hole is none of it."""
    ring = Polygon(points)
    if ring.is_valid:
        return ring
    mended = ring.buffer(0)
    assert isinstance(mended, Polygon) and mended.interiors and abs(mended.area - ring.area) <= 1e-6 * ring.area
    return mended


def by_area(case):
    return sorted(it["area"] for it in case["annotations"] if it["is_area"])


def compare_all(writer, case, found, n_lines_expected=0):
    """Total and extent; single areas too where every lesion is one part."""
    expected = [it for it in case["annotations"] if it["is_area"]]
    compare_area(writer, case["name"], sum(it["area"] for it in expected), sum(it.area for it in found))
    if len(found) == len(expected):
        for a, b in zip(by_area(case), sorted(it.area for it in found)):
            compare_area(writer, case["name"], a, b)
    if found:
        bounds = [it["bounds"] for it in expected]
        extent = [min(b[0] for b in bounds), min(b[1] for b in bounds), max(b[2] for b in bounds), max(b[3] for b in bounds)]
        compare_bounds(writer, case["name"], extent, MultiPolygon(flat(found)).bounds)


def flat(shapes):
    return [part for it in shapes for part in (it.geoms if isinstance(it, MultiPolygon) else [it])]


def check_asap(case, folder):
    """Level-0 frame; Order without gaps; a group that is not declared makes ASAP drop the file."""
    root = etree.parse(str(folder / f"{case['name']}.xml")).getroot()
    assert root.tag == "ASAP_Annotations"
    declared = {group.get("Name") for group in root.findall("AnnotationGroups/Group")}
    outers, holes, n_lines = [], [], 0
    for annotation in root.findall("Annotations/Annotation"):
        assert annotation.get("PartOfGroup") in declared
        points = annotation.findall("Coordinates/Coordinate")
        assert [int(point.get("Order")) for point in points] == list(range(len(points)))
        points = [(float(point.get("X")), float(point.get("Y"))) for point in points]
        if annotation.get("Type") == "Measurement":
            assert len(points) == 2
            n_lines += 1
            continue
        assert annotation.get("Type") == "Polygon" and points[0] != points[-1]
        ring = enclosed(points)
        (holes if annotation.get("PartOfGroup") == "Exclusion" else outers).append(ring)
    classes = {it["class"] for it in case["annotations"]}
    assert declared - {"Exclusion"} == classes, (declared, classes)
    n_bridged = sum(len(outer.interiors) for outer in outers)
    assert len(holes) + n_bridged == sum(it["holes"] for it in case["annotations"])
    compare_all("ASAP XML", case, without(outers, holes))


def check_imagescope(case, folder):
    """Level-0 frame; red in the lowest byte of a color; micrometres only where calibrated."""
    root = etree.parse(str(folder / f"{case['name']}.imagescope.xml")).getroot()
    assert root.tag == "Annotations"
    scale = root.get("MicronsPerPixel")
    assert (scale is None) == (case["mpp"] is None) and (scale is None or float(scale) == case["mpp"])
    colors = {it["class"]: it["color"] for it in case["annotations"]}
    found, ids = [], []
    for layer in root.findall("Annotation"):
        red, green, blue = colors[layer.get("Name")]
        assert int(layer.get("LineColor")) == blue << 16 | green << 8 | red
        outers, holes = [], []
        for region in layer.findall("Regions/Region"):
            ids.append(region.get("Id"))
            points = [(float(v.get("X")), float(v.get("Y"))) for v in region.findall("Vertices/Vertex")]
            ring = enclosed(points)
            compare_area("ImageScope XML", case["name"], ring.area, float(region.get("Area")))
            length = Polygon(points).length
            assert abs(length - float(region.get("Length"))) <= 0.01 + 1e-4 * length
            metric = region.get("AreaMicrons")
            assert (metric is None) == (case["mpp"] is None)
            if metric is not None:
                compare_area("ImageScope XML", case["name"], ring.area * case["mpp"] ** 2, float(metric))
            (holes if region.get("NegativeROA") == "1" else outers).append(ring)
        found += without(outers, holes)
    assert len(ids) == len(set(ids))
    compare_all("ImageScope XML", case, found)


def check_coco(case, folder):
    """Run lengths, decoded by the reference implementation; the picture states its place."""
    path = folder / f"{case['name']}.coco.json"
    coco = COCO(str(path))
    image = coco.dataset["images"][0]
    areas = [it for it in case["annotations"] if it["is_area"]]
    annotations = coco.dataset["annotations"]
    assert len(annotations) == len(areas)
    assert (image["x0"], image["y0"]) == (0.0, 0.0)
    scale = (image["scale_x"], image["scale_y"])
    for expected, annotation in zip(areas, annotations):
        pixels = coco.annToMask(annotation)
        assert pixels.shape == (image["height"], image["width"])
        assert int(pixels.sum()) == annotation["area"] == int(coco_mask.area(annotation["segmentation"]))
        assert list(coco_mask.toBbox(annotation["segmentation"])) == annotation["bbox"]
        assert coco.cats[annotation["category_id"]]["name"] == expected["class"]
        compare_area("COCO", case["name"], expected["area"], annotation["area"] * scale[0] * scale[1])
        x, y, width, height = annotation["bbox"]
        found = [x * scale[0], y * scale[1], (x + width) * scale[0], (y + height) * scale[1]]
        compare_bounds("COCO", case["name"], expected["bounds"], found, tolerance=max(scale))


def check_csv(case, folder):
    with open(folder / f"{case['name']}.lesions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == len(case["annotations"])
    for expected, row in zip(case["annotations"], rows):
        assert (row["id"], row["name"], row["class"]) == (expected["id"], expected["name"], expected["class"])
        found = [float(row["x"]), float(row["y"])]
        found += [found[0] + float(row["width"]), found[1] + float(row["height"])]
        compare_bounds("CSV", case["name"], expected["bounds"], found)
        assert (row["area_mm2"] == "") == (case["mpp"] is None or not expected["is_area"])
        if expected["is_area"]:
            compare_area("CSV", case["name"], expected["area"], float(row["area_px"]))
            if case["mpp"] is not None:
                compare_area("CSV", case["name"], expected["area"] * case["mpp"] ** 2 / 1e6, float(row["area_mm2"]))


def read_levels(path):
    """Arrays of all levels that are small enough to be looked at, with their numbers, and the text of the first page."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        assert len(file.series) == 1 and all(page.is_tiled for page in series.pages)
        shapes = [level.shape for level in series.levels]
        for (height, width), (next_height, next_width) in zip(shapes, shapes[1:]):
            assert (next_height, next_width) == (height // 2, width // 2)
        arrays = {k: level.asarray() for k, level in enumerate(series.levels) if level.size < 5e7}
        return shapes, arrays, file.pages[0].description, file.is_ome, len(file.pages)


def parse_ome(description):
    root = etree.fromstring(description.encode())
    name = {"ome": root.nsmap[None]}
    pixels = root.find("ome:Image/ome:Pixels", name)
    comment = root.find("ome:StructuredAnnotations/ome:CommentAnnotation/ome:Value", name).text
    return pixels, json.loads(comment)


def check_labels(case, folder):
    """One page, coarser levels below it, integer factors; scale only where calibrated; QuPath's frame."""
    shapes, arrays, description, is_ome, n_pages = read_levels(folder / f"{case['name']}.labels.ome.tif")
    assert is_ome and n_pages == 1
    pixels, origin = parse_ome(description)
    assert (int(pixels.get("SizeY")), int(pixels.get("SizeX"))) == shapes[0]
    width, height = case["region"][2:]
    step = 1
    while max(width, height) // step > 65536:
        step *= 2
    assert shapes[0] == (height // step, width // step)
    scale = pixels.get("PhysicalSizeX")
    assert (scale is None) == (case["mpp"] is None) and (scale is None or float(scale) == case["mpp"] * step)
    corner = [origin["frame"]["x"], origin["frame"]["y"]]
    assert corner == case["region"][:2]
    areas = [it for it in case["annotations"] if it["is_area"]]
    classes = {it["class"] for it in case["annotations"]}
    assert set(origin["values"].values()) == classes
    k, labels = min(arrays.items())
    step *= 2**k
    assert set(np.unique(labels)) - {0} <= {int(value) for value in origin["values"]}
    if not areas:
        assert not labels.any()
        return
    # A pixel has one label, however many outlines lie over it.
    outlines = json.loads((folder / f"{case['name']}.geojson").read_text())["features"]
    covered = shapely.union_all([shape(it["geometry"]) for it in outlines]).area
    compare_area("OME-TIFF labels", case["name"], covered, np.count_nonzero(labels) * step**2)
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    found = [columns[0] * step, rows[0] * step, (columns[-1] + 1) * step, (rows[-1] + 1) * step]
    bounds = np.array([moved(it["bounds"], corner) for it in areas])
    extent = [*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0)]
    compare_bounds("OME-TIFF labels", case["name"], extent, found, tolerance=step)


def check_field(folder):
    """The heatmap on a slide of odd size: ASAP's rule for sides, and the values of the interpolated cells."""
    cells = tifffile.imread(folder / "field.heatmap.tif")
    width, height = 9001, 6007
    for name, is_ome_name in (("field.probability.ome.tif", True), ("field_likelihood_map.tif", False)):
        with tifffile.TiffFile(folder / name) as file:
            assert file.is_ome == is_ome_name
            pages = file.series[0].levels if is_ome_name else file.pages
            shapes = [page.shape for page in pages]
            values = pages[0].asarray()
        k = round(np.log2(width / shapes[0][1]))
        for shape, octave in zip(shapes, range(k, 32)):
            assert shape == (height // 2**octave, width // 2**octave)
            assert width // shape[1] == height // shape[0], "ASAP would not show it"
        x = (np.arange(values.shape[1]) + 0.5) * 2**k / width * cells.shape[1] - 0.5
        y = (np.arange(values.shape[0]) + 0.5) * 2**k / height * cells.shape[0] - 0.5
        rows = np.array([np.interp(x, np.arange(cells.shape[1]), row) for row in cells])
        expected = np.array([np.interp(y, np.arange(cells.shape[0]), column) for column in rows.T]).T
        off = float(np.abs(values - expected).max())
        assert values.dtype == np.float32 and off < 2e-3, off
        print(f"{name}: values within {off:.6f} of the interpolated cells, finest level {shapes[0]}")


def check_report(folder):
    """One page whose text can be searched in every script, where a font has it."""
    reader = PdfReader(str(folder / "field.report.pdf"), strict=True)
    assert len(reader.pages) == 1 and len(reader.pages[0].images) == 1
    origin = json.loads(reader.metadata.subject)
    assert origin["slide"]["id"] == "f00d" and "provenance" in origin
    text = reader.pages[0].extract_text()
    for words in ("Lesion report", "For research use only", "fmamil-0.3", "Tumor", "coarser than"):
        assert words in text, text
    has_font = "腺癌" in text
    assert has_font or "[U+817A][U+764C]" in text, text
    print("report: one page,", "CJK as letters" if has_font else "CJK as numbers, for want of a font")


def main():
    folder = Path(sys.argv[1])
    cases = json.loads((folder / "expected").read_text(encoding="utf-8"))
    checks = [check_qupath, check_asap, check_imagescope, check_coco, check_csv, check_labels]
    for case in cases:
        for check in checks:
            check(case, folder)
    check_field(folder)
    check_report(folder)
    for writer, share in worst.items():
        print(f"{writer}: areas within {100 * share:.5f} % over {len(cases)} cases")


main()
