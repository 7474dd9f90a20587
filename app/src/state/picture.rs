//! Small pictures for panels.

use std::sync::OnceLock;

use domain::pixels::Pixels;
use egui::{ColorImage, TextureHandle, TextureOptions};

/// Pixels that a panel shows; uploaded when they are shown first, and let go with this.
pub(crate) struct Picture {
    pixels: Pixels,
    texture: OnceLock<TextureHandle>,
}

impl Picture {
    pub(crate) fn new(pixels: Pixels) -> Self {
        Self { pixels, texture: OnceLock::new() }
    }

    /// On the graphics processor.
    pub(crate) fn texture(&self, ctx: &egui::Context) -> &TextureHandle {
        self.texture.get_or_init(|| {
            let size = self.pixels.size();
            let side = |px: u32| usize::try_from(px).unwrap_or(0);
            let size = [side(size.width), side(size.height)];
            let image = ColorImage::from_rgba_unmultiplied(size, self.pixels.rgba());
            ctx.load_texture("picture", image, TextureOptions::LINEAR)
        })
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({:?})", self.pixels.size())
    }
}
