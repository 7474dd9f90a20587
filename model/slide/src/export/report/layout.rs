//! Where things stand on the page.

use domain::RESEARCH_USE_ONLY;
use domain::annotation::Verdict;
use domain::contour::Ring;
use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::mask::BinaryMask;
use domain::scale::{Area, Mpp};
use domain::tissue_share::TissueShare;

use super::super::sheet::Entry;
use super::super::{ExportRequest, SOFTWARE};
use super::glyphs::Glyphs;
use super::page::{HEIGHT_PT, Item, Page, WIDTH_PT};

const MARGIN_PT: f64 = 42.0;
const TEXT_PT: f64 = 9.0;
const LINE_PT: f64 = 13.0;
/// Room for the slide.
const PICTURE_HEIGHT_PT: f64 = 330.0;
/// Rows of the table, at most.
const ROWS_MAX: usize = 14;
/// Lines of cautions, at most.
const CAUTION_LINES_MAX: usize = 8;
/// The bar is at most this long.
const BAR_MAX_PT: f64 = 110.0;

const BLACK: [u8; 3] = [20, 20, 20];
const GRAY: [u8; 3] = [110, 110, 110];
const PALE: [u8; 3] = [215, 215, 215];
const WHITE: [u8; 3] = [255, 255, 255];
const WARNING: [u8; 3] = [170, 60, 0];

/// Left edges of the table's columns, from the margin.
const COLUMNS: [(&str, f64); 6] = [
    ("Lesion", 0.0),
    ("Class", 130.0),
    ("Verdict", 260.0),
    ("Score", 325.0),
    ("Area", 370.0),
    ("Center (x, y) in px", 430.0),
];

pub(super) fn page<'a>(
    request: &ExportRequest<'a>,
    mask: &BinaryMask,
    entries: &[Entry<'_>],
    glyphs: &Glyphs,
) -> Page<'a> {
    let mut writer =
        Writer { page: Page { title: "Lesion report", items: Vec::new() }, y: 58.0, glyphs };
    writer.text(MARGIN_PT, 20.0, BLACK, "Lesion report");
    writer.y += 16.0;
    writer.text(MARGIN_PT, 10.0, WARNING, RESEARCH_USE_ONLY);
    writer.y += 20.0;
    writer.facts(&facts(request, mask, entries));
    writer.y += 4.0;
    writer.slide(request, entries);
    writer.table(request.slide.mpp, entries);
    writer.cautions(request.caution.notes);
    writer.footer();
    writer.page
}

/// What is said in words, by name.
fn facts(
    request: &ExportRequest<'_>,
    mask: &BinaryMask,
    entries: &[Entry<'_>],
) -> Vec<(&'static str, String)> {
    let PixelSize { width, height } = request.slide.size;
    let mpp = request.slide.mpp;
    let scale =
        mpp.map_or("not calibrated".to_owned(), |mpp| format!("{:.4} µm per pixel", mpp.mean()));
    let id: String = request.slide.id.to_string().chars().take(16).collect();
    let named = |name: &str| request.provenance.get(name).cloned();
    let short = |hash: String| hash.chars().take(16).collect::<String>();
    let weights = named("weights_sha256").map(|hash| format!(", weights {}…", short(hash)));
    let prediction = if request.probability < 0.5 { "negative" } else { "positive" };
    let share = request.tissue.map(|tissue| TissueShare::new(request.heatmap, tissue));
    let share = share.and_then(|tissue| tissue.at(request.threshold));
    let area = Area::from_level0_px(mask.area_level0_px(), mpp);
    let listed: f64 = entries.iter().map(|entry| entry.area_px).sum();
    let mut facts = vec![
        ("Slide", format!("{id}…, {width} x {height} px, {scale}")),
        ("Model", format!("{}{}", request.model, weights.unwrap_or_default())),
        ("Probability", format!("{:.3} ({prediction})", request.probability)),
        (
            "Layer",
            format!(
                "{}, cut at t = {}",
                named("layer").unwrap_or("Heatmap".to_owned()),
                request.threshold.get()
            ),
        ),
        (
            "Above t",
            share.map_or(area.to_string(), |it| {
                format!("{area}, {:.2} % of the tissue", 100.0 * it)
            }),
        ),
        ("Lesions", format!("{}, {} in all", entries.len(), Area::from_level0_px(listed, mpp))),
    ];
    if let Some(kept) = request.caution.faithfulness {
        facts.push((
            "Kept by the map",
            format!(
                "{:.0} % of the probability remains with the patches under it alone",
                100.0 * kept
            ),
        ));
    }
    facts
}

/// Puts things on the page from the top down.
struct Writer<'a, 'g> {
    page: Page<'a>,
    y: f64,
    glyphs: &'g Glyphs,
}

impl<'a> Writer<'a, '_> {
    fn text(&mut self, x: f64, size: f64, color: [u8; 3], text: &str) {
        self.page.items.push(Item::Text { x, y: self.y, size, color, text: text.to_owned() });
    }

    /// Text that ends where there is no more room.
    fn fitted(&mut self, x: f64, width: f64, color: [u8; 3], text: &str) {
        let flat: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        let mut fitted = flat.clone();
        while width < self.glyphs.width(&fitted) * TEXT_PT && !fitted.is_empty() {
            let n = fitted.chars().count().saturating_sub(2);
            fitted = flat.chars().take(n).chain(['…']).collect();
            if n == 0 {
                break;
            }
        }
        self.text(x, TEXT_PT, color, &fitted);
    }

    fn facts(&mut self, facts: &[(&str, String)]) {
        for (name, value) in facts {
            self.text(MARGIN_PT, TEXT_PT, GRAY, name);
            self.fitted(MARGIN_PT + 90.0, WIDTH_PT - 2.0 * MARGIN_PT - 90.0, BLACK, value);
            self.y += LINE_PT;
        }
    }

    /// The slide with its outlines and a scale bar.
    fn slide(&mut self, request: &ExportRequest<'a>, entries: &[Entry<'_>]) {
        let PixelSize { width, height } = request.slide.size;
        let (across, down) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let room = WIDTH_PT - 2.0 * MARGIN_PT;
        let scale = (room / across).min(PICTURE_HEIGHT_PT / down);
        let left = (WIDTH_PT - across * scale) / 2.0;
        let area = Level0Rect { x: left, y: self.y, width: across * scale, height: down * scale };
        self.page.items.push(Item::Fill { area, color: [240, 240, 240] });
        if let Some(pixels) = request.thumbnail {
            self.page.items.push(Item::Picture { area, pixels });
        }
        let place = |point: &Level0Px| Level0Px {
            x: area.x + point.x * scale,
            y: area.y + point.y * scale,
        };
        for entry in entries {
            let rings = |ring: &Ring| thinned(ring.iter().map(place));
            let parts = entry.parts.iter();
            let rings: Vec<Ring> = parts
                .flat_map(|part| std::iter::once(&part.outer).chain(&part.holes))
                .map(rings)
                .collect();
            for (width, color) in [(2.2, WHITE), (1.1, entry.annotation.class.color)] {
                self.page.items.push(Item::Stroke {
                    rings: rings.clone(),
                    is_closed: true,
                    width,
                    color,
                });
            }
        }
        self.bar(area, scale, request.slide.mpp);
        self.y += area.height + 20.0;
    }

    /// A bar of a round length at the foot of the picture: micrometres, or pixels where not calibrated.
    fn bar(&mut self, area: Level0Rect, scale: f64, mpp: Option<Mpp>) {
        let per_pt = mpp.map_or(1.0, Mpp::x) / scale;
        let longest = per_pt * BAR_MAX_PT.min(area.width / 2.0);
        let power = 10_f64.powf(longest.log10().floor());
        let units =
            power * [5.0, 2.0].into_iter().find(|step| step * power <= longest).unwrap_or(1.0);
        let label = match mpp {
            None => format!("{units} px"),
            Some(_) if 1000.0 <= units => format!("{} mm", units / 1000.0),
            Some(_) => format!("{units} µm"),
        };
        let (x, foot, length) = (area.x + 10.0, area.y + area.height - 10.0, units / per_pt);
        let plate =
            Level0Rect { x: x - 5.0, y: foot - 16.0, width: length.max(40.0) + 10.0, height: 21.0 };
        self.page.items.push(Item::Fill { area: plate, color: WHITE });
        self.page.items.push(Item::Fill {
            area: Level0Rect { x, y: foot, width: length, height: 2.0 },
            color: BLACK,
        });
        self.page.items.push(Item::Text {
            x,
            y: foot - 4.0,
            size: TEXT_PT,
            color: BLACK,
            text: label,
        });
    }

    /// The largest lesions, one a row.
    fn table(&mut self, mpp: Option<Mpp>, entries: &[Entry<'_>]) {
        let mut largest: Vec<&Entry<'_>> = entries.iter().collect();
        largest.sort_by(|a, b| b.area_px.total_cmp(&a.area_px));
        for (name, x) in COLUMNS {
            self.text(MARGIN_PT + x, TEXT_PT, GRAY, name);
        }
        self.rule();
        for entry in largest.iter().take(ROWS_MAX) {
            let ends = COLUMNS.iter().skip(1).map(|(_, x)| *x).chain([WIDTH_PT - 2.0 * MARGIN_PT]);
            for ((text, (_, x)), end) in cells(entry, mpp).iter().zip(COLUMNS).zip(ends) {
                self.fitted(MARGIN_PT + x, end - x - 6.0, BLACK, text);
            }
            self.y += LINE_PT;
        }
        let n_more = largest.len().saturating_sub(ROWS_MAX);
        if 0 < n_more {
            self.text(MARGIN_PT, TEXT_PT, GRAY, &format!("and {n_more} smaller ones"));
            self.y += LINE_PT;
        }
        self.y += 6.0;
    }

    fn rule(&mut self) {
        let y = self.y + 4.0;
        self.page.line([MARGIN_PT, y], [WIDTH_PT - MARGIN_PT, y], 0.6, PALE);
        self.y += LINE_PT + 3.0;
    }

    fn cautions(&mut self, notes: &[String]) {
        if notes.is_empty() {
            return;
        }
        self.text(MARGIN_PT, TEXT_PT, WARNING, "Cautions");
        self.y += LINE_PT;
        let width = WIDTH_PT - 2.0 * MARGIN_PT;
        let lines: Vec<String> = notes.iter().flat_map(|note| self.wrapped(note, width)).collect();
        for line in lines.iter().take(CAUTION_LINES_MAX) {
            self.fitted(MARGIN_PT, width, BLACK, line);
            self.y += LINE_PT;
        }
    }

    fn wrapped(&self, text: &str, width: f64) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let Some(line) = lines.last_mut() else { break };
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if line.is_empty() || self.glyphs.width(&longer) * TEXT_PT <= width {
                *line = longer;
            } else {
                lines.push(word.to_owned());
            }
        }
        lines
    }

    fn footer(&mut self) {
        self.y = HEIGHT_PT - 40.0;
        self.rule();
        self.text(MARGIN_PT, 8.0, GRAY, &format!("{SOFTWARE}. {RESEARCH_USE_ONLY}"));
    }
}

fn cells(entry: &Entry<'_>, mpp: Option<Mpp>) -> [String; 6] {
    let annotation = entry.annotation;
    let verdict = match annotation.verdict {
        Verdict::Proposed => "not looked at",
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
    };
    let area = match entry.length_px {
        None => Area::from_level0_px(entry.area_px, mpp).to_string(),
        Some(length) => {
            mpp.map_or(format!("{length:.0} px"), |mpp| format!("{:.0} µm", length * mpp.mean()))
        }
    };
    [
        annotation.name.clone(),
        annotation.class.name.clone(),
        verdict.to_owned(),
        annotation.score.map_or("-".to_owned(), |score| format!("{score:.2}")),
        area,
        format!("{:.0}, {:.0}", entry.centroid.x, entry.centroid.y),
    ]
}

/// Without points that nobody could tell apart on paper.
fn thinned(points: impl Iterator<Item = Level0Px>) -> Ring {
    let mut ring = Ring::new();
    for point in points {
        let is_near = |last: &Level0Px| (point.x - last.x).hypot(point.y - last.y) < 0.15;
        if !ring.last().is_some_and(is_near) {
            ring.push(point);
        }
    }
    ring
}
