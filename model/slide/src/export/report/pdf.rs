//! The page as a PDF (ISO 32000-1): one page, its texts in fonts made of outlines, so that every script is shown and can
//! be searched and copied.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;

use domain::contour::Ring;
use domain::coords::Level0Rect;
use domain::pixels::Pixels;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;

use super::super::{ExportError, ExportFormat, SOFTWARE};
use super::glyphs::{Glyph, Glyphs, Step};
use super::page::{HEIGHT_PT, Item, Page, WIDTH_PT};

/// Characters of a font: a byte names one.
const FONT_GLYPHS: usize = 256;
/// Of the slide's picture.
const JPEG_QUALITY: u8 = 92;

const CATALOG: usize = 1;
const PAGES: usize = 2;
const PAGE: usize = 3;
const CONTENT: usize = 4;
const INFO: usize = 5;

pub(super) fn encode(
    page: &Page<'_>,
    glyphs: &Glyphs,
    origin: &str,
) -> Result<Vec<u8>, ExportError> {
    let failed =
        |problem: String| ExportError::Encode { what: ExportFormat::ReportPdf.noun(), problem };
    let mut file = Objects::new(INFO);
    let mut drawing =
        Drawing { text: String::new(), letters: BTreeMap::new(), pictures: Vec::new() };
    for item in &page.items {
        drawing.item(item, glyphs);
    }
    let mut resources = "/XObject <<".to_owned();
    for (index, pixels) in drawing.pictures.iter().enumerate() {
        let id = file.picture(pixels).map_err(&failed)?;
        resources.push_str(&format!(" /I{index} {id} 0 R"));
    }
    resources.push_str(" >> /Font <<");
    let letters: Vec<_> = drawing.in_order();
    for (index, letters) in letters.chunks(FONT_GLYPHS).enumerate() {
        let id = file.font(letters).map_err(|error| failed(error.to_string()))?;
        resources.push_str(&format!(" /F{index} {id} 0 R"));
    }
    resources.push_str(" >>");
    file.put(CATALOG, format!("<< /Type /Catalog /Pages {PAGES} 0 R /Lang (en) >>"));
    file.put(PAGES, format!("<< /Type /Pages /Kids [{PAGE} 0 R] /Count 1 >>"));
    let size = format!("[0 0 {WIDTH_PT} {HEIGHT_PT}]");
    file.put(
        PAGE,
        format!("<< /Type /Page /Parent {PAGES} 0 R /MediaBox {size} /Resources << {resources} >> /Contents {CONTENT} 0 R >>"),
    );
    let content = packed("", drawing.text.as_bytes()).map_err(|error| failed(error.to_string()))?;
    file.put_bytes(CONTENT, content);
    file.put(
        INFO,
        format!(
            "<< /Title ({}) /Creator ({SOFTWARE}) /Subject <feff{}> >>",
            page.title,
            hex(origin)
        ),
    );
    Ok(file.finish())
}

/// Fails unless the file is whole: every object where the table at its end says.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let text =
        String::from_utf8_lossy(bytes.get(bytes.len().saturating_sub(64)..).unwrap_or_default());
    let start = text.rsplit("startxref").next().and_then(|it| it.split_whitespace().next());
    let start = start.and_then(|it| it.parse::<usize>().ok()).ok_or("no table of objects")?;
    let table = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
    let places = table.lines().filter(|line| line.trim_end().ends_with(" n"));
    let mut n_objects = 0;
    for (index, line) in places.enumerate() {
        let at = line.split(' ').next().and_then(|it| it.parse::<usize>().ok());
        let head = format!("{} 0 obj", index + 1);
        let found =
            at.and_then(|at| bytes.get(at..)).is_some_and(|it| it.starts_with(head.as_bytes()));
        if !found {
            return Err(format!("object {} is not where it should be", index + 1));
        }
        n_objects += 1;
    }
    if bytes.starts_with(b"%PDF-1.7") && INFO < n_objects {
        Ok(())
    } else {
        Err("it is no page".to_owned())
    }
}

/// What is drawn, in the words of PDF, and what it needs.
struct Drawing<'a> {
    text: String,
    /// Each character with its outline and its number among all.
    letters: BTreeMap<char, (usize, Rc<Glyph>)>,
    pictures: Vec<&'a Pixels>,
}

impl<'a> Drawing<'a> {
    fn item(&mut self, item: &Item<'a>, glyphs: &Glyphs) {
        match item {
            Item::Text { x, y, size, color, text } => {
                self.color(*color, "rg");
                self.letters_of(text, [*x, *y, *size], glyphs);
            }
            Item::Fill { area, color } => {
                self.color(*color, "rg");
                let Level0Rect { x, width, height, .. } = *area;
                self.say(&format!("{x:.2} {:.2} {width:.2} {height:.2} re f", foot(area)));
            }
            Item::Stroke { rings, is_closed, width, color } => {
                self.color(*color, "RG");
                self.say(&format!("{width:.2} w 1 j 1 J"));
                rings.iter().for_each(|ring| self.path(ring, *is_closed));
                self.say("S");
            }
            Item::Picture { area, pixels } => {
                let Level0Rect { x, width, height, .. } = *area;
                let index = self.pictures.len();
                self.pictures.push(pixels);
                let foot = foot(area);
                self.say(&format!(
                    "q {width:.2} 0 0 {height:.2} {x:.2} {foot:.2} cm /I{index} Do Q"
                ));
            }
        }
    }

    fn say(&mut self, words: &str) {
        self.text.push_str(words);
        self.text.push('\n');
    }

    fn color(&mut self, color: [u8; 3], operator: &str) {
        let [red, green, blue] = color.map(|it| f64::from(it) / 255.0);
        self.say(&format!("{red:.3} {green:.3} {blue:.3} {operator}"));
    }

    fn path(&mut self, ring: &Ring, is_closed: bool) {
        for (index, point) in ring.iter().enumerate() {
            let operator = if index == 0 { "m" } else { "l" };
            self.say(&format!("{:.2} {:.2} {operator}", point.x, HEIGHT_PT - point.y));
        }
        if is_closed {
            self.say("h");
        }
    }

    /// Runs of letters of one font each.
    fn letters_of(&mut self, text: &str, [x, y, size]: [f64; 3], glyphs: &Glyphs) {
        self.say(&format!("BT {x:.2} {:.2} Td", HEIGHT_PT - y));
        for (character, glyph) in glyphs.of(text) {
            let next = self.letters.len();
            let number = self.letters.entry(character).or_insert((next, glyph)).0;
            let (font, code) = (number / FONT_GLYPHS, number % FONT_GLYPHS);
            self.say(&format!("/F{font} {size} Tf <{code:02x}> Tj"));
        }
        self.say("ET");
    }

    fn in_order(&self) -> Vec<(char, Rc<Glyph>)> {
        let mut letters: Vec<_> = self
            .letters
            .iter()
            .map(|(it, (number, glyph))| (*number, *it, Rc::clone(glyph)))
            .collect();
        letters.sort_by_key(|(number, ..)| *number);
        letters.into_iter().map(|(_, character, glyph)| (character, glyph)).collect()
    }
}

/// The lower edge, counted from the page's foot as PDF does.
fn foot(area: &Level0Rect) -> f64 {
    HEIGHT_PT - area.y - area.height
}

/// A stream of packed bytes with its dictionary.
fn packed(words: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(bytes)?;
    Ok(stream(&format!("/Filter /FlateDecode {words}"), &zlib.finish()?))
}

fn stream(words: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("<< {words} /Length {} >>\nstream\n", bytes.len());
    [head.as_bytes(), bytes, b"\nendstream"].concat()
}

/// The numbered objects of a file; the first ones are put last.
struct Objects(Vec<Vec<u8>>);

impl Objects {
    fn new(n_reserved: usize) -> Self {
        Self(vec![Vec::new(); n_reserved])
    }

    fn put(&mut self, id: usize, text: String) {
        self.put_bytes(id, text.into_bytes());
    }

    fn put_bytes(&mut self, id: usize, bytes: Vec<u8>) {
        if let Some(object) = self.0.get_mut(id - 1) {
            *object = bytes;
        }
    }

    /// Adds an object and returns its number.
    fn add(&mut self, bytes: Vec<u8>) -> usize {
        self.0.push(bytes);
        self.0.len()
    }

    fn picture(&mut self, pixels: &Pixels) -> Result<usize, String> {
        let size = pixels.size();
        let rgb: Vec<u8> =
            pixels.rgba().chunks_exact(4).flat_map(super::picture::on_white).collect();
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
            .encode(&rgb, size.width, size.height, image::ExtendedColorType::Rgb8)
            .map_err(|error| error.to_string())?;
        let (width, height) = (size.width, size.height);
        let words = format!(
            "/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB \
             /BitsPerComponent 8 /Filter /DCTDecode"
        );
        Ok(self.add(stream(&words, &jpeg)))
    }

    /// A font of outlines (type 3), in thousandths of its size.
    fn font(&mut self, letters: &[(char, Rc<Glyph>)]) -> std::io::Result<usize> {
        let (mut procedures, mut names, mut widths) = (String::new(), String::new(), String::new());
        for (index, (_, glyph)) in letters.iter().enumerate() {
            let id = self.add(packed("", outline(glyph).as_bytes())?);
            procedures.push_str(&format!("/g{index} {id} 0 R "));
            names.push_str(&format!("/g{index} "));
            widths.push_str(&format!("{:.0} ", glyph.advance * 1000.0));
        }
        let characters: Vec<char> = letters.iter().map(|(character, _)| *character).collect();
        let unicode = self.add(packed("", unicode_of(&characters).as_bytes())?);
        let last = letters.len().saturating_sub(1);
        let font = format!(
            "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 0 0] /FontMatrix [0.001 0 0 0.001 0 0] \
             /CharProcs << {procedures}>> /Encoding << /Type /Encoding /Differences [0 {names}] >> \
             /FirstChar 0 /LastChar {last} /Widths [{widths}] /ToUnicode {unicode} 0 R /Resources << >> >>"
        );
        Ok(self.add(font.into_bytes()))
    }

    fn finish(self) -> Vec<u8> {
        let mut file = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.0.len() + 1);
        for (index, object) in self.0.iter().enumerate() {
            table.push_str(&format!("{:010} 00000 n \n", file.len()));
            file.extend(format!("{} 0 obj\n", index + 1).as_bytes());
            file.extend(object);
            file.extend(b"\nendobj\n");
        }
        let (start, n) = (file.len(), self.0.len() + 1);
        let trailer = format!(
            "trailer\n<< /Size {n} /Root {CATALOG} 0 R /Info {INFO} 0 R >>\nstartxref\n{start}\n%%EOF\n"
        );
        file.extend(table.as_bytes());
        file.extend(trailer.as_bytes());
        file
    }
}

/// A letter, whose color is that of the text.
fn outline(glyph: &Glyph) -> String {
    let mut words = format!("{:.0} 0 -1000 -1000 3000 3000 d1\n", glyph.advance * 1000.0);
    let place = |[x, y]: [f32; 2]| format!("{:.1} {:.1}", x * 1000.0, y * 1000.0);
    for step in &glyph.steps {
        let step = match *step {
            Step::Move(to) => format!("{} m ", place(to)),
            Step::Line(to) => format!("{} l ", place(to)),
            Step::Curve(a, b, to) => format!("{} {} {} c ", place(a), place(b), place(to)),
            Step::Close => "h ".to_owned(),
        };
        words.push_str(&step);
    }
    words.push('f');
    words
}

/// Which characters the bytes of a font mean, for searching and copying.
fn unicode_of(characters: &[char]) -> String {
    let mut map = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n\
                   /CMapName /Letters def /CMapType 2 def\n\
                   1 begincodespacerange <00> <ff> endcodespacerange\n"
        .to_owned();
    for (block, characters) in characters.chunks(100).enumerate() {
        map.push_str(&format!("{} beginbfchar\n", characters.len()));
        for (index, character) in characters.iter().enumerate() {
            let (code, unicode) = (block * 100 + index, hex(&character.to_string()));
            map.push_str(&format!("<{code:02x}> <{unicode}>\n"));
        }
        map.push_str("endbfchar\n");
    }
    map.push_str("endcmap CMapName currentdict /CMap defineresource pop end end");
    map
}

/// A text in the digits of UTF-16.
fn hex(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("{unit:04x}")).collect()
}
