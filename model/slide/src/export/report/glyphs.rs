//! Characters as outlines, with where the pen goes next.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, MetadataProvider as _};

use super::font_files;

/// A stroke of an outline, in parts of the font's size, y upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Move([f32; 2]),
    Line([f32; 2]),
    Curve([f32; 2], [f32; 2], [f32; 2]),
    Close,
}

/// A character's outline.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Glyph {
    /// How far the pen moves on.
    pub(super) advance: f32,
    pub(super) steps: Vec<Step>,
}

/// All characters that were asked for so far, each looked up once.
#[derive(Debug, Default)]
pub(super) struct Glyphs {
    known: RefCell<BTreeMap<char, Option<Rc<Glyph>>>>,
    /// The system's fonts; searched only if a character is missing.
    of_system: RefCell<Option<Vec<PathBuf>>>,
}

impl Glyphs {
    /// The characters of a text with their outlines. What no font has is spelled as its number.
    pub(super) fn of(&self, text: &str) -> Vec<(char, Rc<Glyph>)> {
        let mut glyphs = Vec::new();
        for character in text.chars() {
            match self.glyph(character) {
                Some(glyph) => glyphs.push((character, glyph)),
                None => {
                    let number = format!("[U+{:04X}]", u32::from(character));
                    let spelled = number.chars().filter_map(|it| Some((it, self.glyph(it)?)));
                    glyphs.extend(spelled);
                }
            }
        }
        glyphs
    }

    /// How long a text is at a font size of 1.
    pub(super) fn width(&self, text: &str) -> f64 {
        self.of(text).iter().map(|(_, glyph)| f64::from(glyph.advance)).sum()
    }

    fn glyph(&self, character: char) -> Option<Rc<Glyph>> {
        if let Some(known) = self.known.borrow().get(&character) {
            return known.clone();
        }
        let own = outline(font_files::OWN, character);
        let found = own.or_else(|| self.of_system(character)).map(Rc::new);
        self.known.borrow_mut().insert(character, found.clone());
        found
    }

    fn of_system(&self, character: char) -> Option<Glyph> {
        if character.is_control() {
            return None;
        }
        let mut of_system = self.of_system.borrow_mut();
        let files = of_system.get_or_insert_with(font_files::of_system);
        let found = files.iter().enumerate().find_map(|(index, path)| {
            Some((index, outline(&std::fs::read(path).ok()?, character)?))
        });
        let (index, glyph) = found?;
        // The next missing character is probably of the same script.
        if let Some(files) = files.get_mut(..=index) {
            files.rotate_right(1);
        }
        Some(glyph)
    }
}

/// `None` where the font lacks the character.
fn outline(font: &[u8], character: char) -> Option<Glyph> {
    let font = FontRef::from_index(font, 0).ok()?;
    let id = font.charmap().map(character)?;
    let location = LocationRef::default();
    let em = f32::from(font.metrics(Size::unscaled(), location).units_per_em.max(1));
    let mut pen = Pen { scale: 1.0 / em, at: [0.0; 2], steps: Vec::new() };
    if let Some(outline) = font.outline_glyphs().get(id) {
        outline.draw(DrawSettings::unhinted(Size::unscaled(), location), &mut pen).ok()?;
    }
    let advance = font.glyph_metrics(Size::unscaled(), location).advance_width(id)?;
    Some(Glyph { advance: advance / em, steps: pen.steps })
}

struct Pen {
    scale: f32,
    at: [f32; 2],
    steps: Vec<Step>,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> [f32; 2] {
        [x * self.scale, y * self.scale]
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = self.place(x, y);
        self.steps.push(Step::Move(self.at));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.at = self.place(x, y);
        self.steps.push(Step::Line(self.at));
    }

    /// A curve with one handle as the same with two.
    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let (from, handle, to) = (self.at, self.place(cx, cy), self.place(x, y));
        let towards = |end: [f32; 2]| {
            let [[ex, ey], [hx, hy]] = [end, handle];
            [ex + (hx - ex) * 2.0 / 3.0, ey + (hy - ey) * 2.0 / 3.0]
        };
        self.at = to;
        self.steps.push(Step::Curve(towards(from), towards(to), to));
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.at = self.place(x, y);
        self.steps.push(Step::Curve(self.place(cx0, cy0), self.place(cx1, cy1), self.at));
    }

    fn close(&mut self) {
        self.steps.push(Step::Close);
    }
}
