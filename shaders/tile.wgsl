// Slide tiles from the atlas, one instance each, drawn in the order of the instance buffer.
// Space: clip space and texels of the tile in, opaque colors out.

struct TileInstance {
    // Corners of the visible part of the tile: top-left and bottom-right in clip space of the upright canvas.
    @location(0) clip: vec4f,
    // The same corners in texels of the tile.
    @location(1) texels: vec4f,
    // Centers of the tile's last texel column and row: sampling never leaves the tile.
    @location(2) texel_limit: vec2f,
    // 1 = linear; n = the step from one texel to the next takes 1/n of a texel.
    @location(3) crispness: f32,
    // Distance of four taps from the pixel center in texels, across and down; 0 = one tap.
    @location(4) tap_offset: f32,
    @location(5) layer: u32,
    // As `turned` takes it.
    @location(6) turn: vec4f,
}

struct VertexOut {
    @builtin(position) position: vec4f,
    @location(0) texel: vec2f,
    @location(1) @interpolate(flat) texel_limit: vec2f,
    @location(2) @interpolate(flat) crispness: f32,
    @location(3) @interpolate(flat) tap_offset: f32,
    @location(4) @interpolate(flat) layer: u32,
}

@group(0) @binding(0) var atlas: texture_2d_array<f32>;
@group(0) @binding(1) var atlas_sampler: sampler;
// `domain::color::ColorTable`: screen colors at the nodes of the cube of scanned colors.
@group(0) @binding(2) var color_table: texture_3d<f32>;

// Specialized, not branched upon: most frames need one tap, and a software driver feels each.
override HAS_FOUR_TAPS: bool = false;
override HAS_COLOR_TABLE: bool = false;

// Side of an atlas layer in texels.
const LAYER_PX: f32 = 512.0;
// Nodes of the color table along each axis.
const TABLE_SIDE: f32 = 33.0;

@vertex
fn vs_main(@builtin(vertex_index) corner: u32, tile: TileInstance) -> VertexOut {
    var out: VertexOut;
    out.position = turned(corner_of(tile.clip, corner), tile.turn);
    out.texel = corner_of(tile.texels, corner);
    out.texel_limit = tile.texel_limit;
    out.crispness = tile.crispness;
    out.tap_offset = tile.tap_offset;
    out.layer = tile.layer;
    return out;
}

@fragment
fn fs_main(in: VertexOut) -> @location(0) vec4f {
    if !HAS_FOUR_TAPS {
        return vec4f(on_screen(tap(in, vec2f(0.0))), 1.0);
    }
    let near = in.tap_offset;
    let above = tap(in, vec2f(-near, -near)) + tap(in, vec2f(near, -near));
    let below = tap(in, vec2f(-near, near)) + tap(in, vec2f(near, near));
    return vec4f(on_screen((above + below) * 0.25), 1.0);
}

// The color that the screen shows for a scanned one. Nodes lie at the centers of the table's texels.
fn on_screen(scanned: vec3f) -> vec3f {
    if !HAS_COLOR_TABLE {
        return scanned;
    }
    let place = (scanned * (TABLE_SIDE - 1.0) + 0.5) / TABLE_SIDE;
    return textureSampleLevel(color_table, atlas_sampler, place, 0.0).rgb;
}

fn tap(in: VertexOut, offset: vec2f) -> vec3f {
    let from_center = clamp(in.texel + offset, vec2f(0.5), in.texel_limit) - 0.5;
    let center = floor(from_center);
    let step = clamp((from_center - center - 0.5) * in.crispness + 0.5, vec2f(0.0), vec2f(1.0));
    let position = (center + step + 0.5) / LAYER_PX;
    // Level 0 explicitly: the atlas has no other, and derivatives are undefined across instances.
    return textureSampleLevel(atlas, atlas_sampler, position, in.layer, 0.0).rgb;
}
