// The heatmap field of `domain::heatmap` in whole numbers: equal to the CPU on every driver.
// Space: clip space in, pixels of the upright canvas (device pixels, origin top-left, y down) to the fragment stage.

struct FieldUniform {
    // Top-left and bottom-right of the drawn rectangle in clip space.
    clip: vec4f,
    // The same corners in canvas pixels.
    canvas: vec4f,
    // Top-left and bottom-right of the heatmap's frame in canvas pixels.
    frame: vec4f,
    // As `turned` takes it.
    turn: vec4f,
    // Cells across and down that one canvas pixel covers.
    cells_per_px: vec2f,
    // Cut-off in multiples of 1 / FIELD_ONE.
    threshold: u32,
    // Row of the colormap texture.
    colormap: u32,
    // 0 to 1, of the fill.
    opacity: f32,
    // Width of the dark line and of the light line, each, in canvas pixels.
    line_px: f32,
    pad: vec2u,
}

struct VertexOut {
    @builtin(position) position: vec4f,
    @location(0) canvas_px: vec2f,
}

// The field around one pixel.
struct Field {
    // False outside the frame.
    inside: bool,
    // 0 to FIELD_ONE.
    value: u32,
    // Change per cell, in units of 1 / FIELD_ONE.
    gradient: vec2f,
}

@group(0) @binding(0) var<uniform> field_uniform: FieldUniform;
// Cell values, 0 to FIELD_ONE.
@group(0) @binding(1) var cells: texture_2d<u32>;
// Row 0: a texel for each canvas column, row 1: one for each canvas row.
// x: index of the cell before, or OUTSIDE; y: fraction, plus STEP if the next cell is another one.
@group(0) @binding(2) var spans: texture_2d<u32>;

const FIELD_ONE: u32 = 1048576u;
const FRACTION_ONE: u32 = 2048u;
const FRACTION_BITS: u32 = 11u;
const OUTSIDE: u32 = 0xffffffffu;
const STEP: u32 = 0x10000u;

@vertex
fn vs_main(@builtin(vertex_index) corner: u32) -> VertexOut {
    var out: VertexOut;
    out.position = turned(corner_of(field_uniform.clip, corner), field_uniform.turn);
    out.canvas_px = corner_of(field_uniform.canvas, corner);
    return out;
}

// Whole numbers up to FIELD_ONE in and out, rounded down; never exceeds 32 bits.
fn lerp(low: u32, high: u32, fraction: u32) -> u32 {
    return (low * (FRACTION_ONE - fraction) + high * fraction) >> FRACTION_BITS;
}

// Lerp along x in both rows, then along y: the order of operations of `domain::heatmap`.
fn field_at(canvas_px: vec2f) -> Field {
    let pixel = vec2u(canvas_px);
    let column = textureLoad(spans, vec2u(pixel.x, 0u), 0).xy;
    let row = textureLoad(spans, vec2u(pixel.y, 1u), 0).xy;
    if column.x == OUTSIDE || row.x == OUTSIDE {
        return Field(false, 0u, vec2f(0.0));
    }
    let low = vec2u(column.x, row.x);
    let high = low + vec2u(column.y, row.y) / STEP;
    let fraction = vec2u(column.y, row.y) % STEP;
    let v00 = textureLoad(cells, low, 0).x;
    let v10 = textureLoad(cells, vec2u(high.x, low.y), 0).x;
    let v01 = textureLoad(cells, vec2u(low.x, high.y), 0).x;
    let v11 = textureLoad(cells, high, 0).x;
    let value = lerp(lerp(v00, v10, fraction.x), lerp(v01, v11, fraction.x), fraction.y);
    let place = vec2f(fraction) / f32(FRACTION_ONE);
    let gradient = vec2f(
        mix(f32(v10) - f32(v00), f32(v11) - f32(v01), place.y),
        mix(f32(v01) - f32(v00), f32(v11) - f32(v10), place.x),
    );
    return Field(true, value, gradient);
}
