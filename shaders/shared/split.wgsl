// What taking a picture apart knows of its picture and of the field that it is transformed in.
// Space: pixels of the picture; cells of the field, which is the picture within its mirrored margin.

struct SplitUniform {
    // Columns and rows of the field.
    frame: vec2u,
    // Columns and rows of the picture.
    picture: vec2u,
    // Mirrored columns and rows before the picture.
    margin: vec2u,
    // Channel of the real parts; the next one is in the imaginary parts.
    channel: u32,
    // 0 = the low band, 1 = the high band.
    band: u32,
}

const CHANNELS: u32 = 3u;
