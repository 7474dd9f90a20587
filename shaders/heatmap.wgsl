// The heatmap over the slide: colored above the cut-off, fully clear at or below it, outlined at it.
// Preceded by `shared/field.wgsl`. Space: canvas pixels in, premultiplied colors out.

// Specialized, not branched upon: a branch on a uniform costs a software driver half of a frame.
override HAS_FILL: bool = true;
override HAS_CONTOUR: bool = true;

// 256 colors across, one colormap a row.
@group(0) @binding(3) var colormaps: texture_2d<f32>;

const LAST_COLOR: u32 = 255u;
const DARK = vec3f(0.05);
const LIGHT = vec3f(1.0);
const CLEAR = vec4f(0.0);
// For what cannot happen, so that it is seen.
const MAGENTA = vec4f(1.0, 0.0, 1.0, 1.0);
// Below this change per pixel (in units of 1 / FIELD_ONE) the field is flat and has no outline.
const FLAT: f32 = 0.001;
// Farther than any canvas is wide.
const FAR_PX: f32 = 1e6;

@fragment
fn fs_main(in: VertexOut) -> @location(0) vec4f {
    let field = field_at(in.canvas_px);
    if !field.inside {
        return CLEAR;
    }
    if FIELD_ONE < field.value {
        return MAGENTA;
    }
    var color = CLEAR;
    if HAS_FILL {
        color = fill(field);
    }
    if HAS_CONTOUR {
        let line = contour(field, in.canvas_px);
        color = line + color * (1.0 - line.a);
    }
    return color;
}

fn fill(field: Field) -> vec4f {
    if field.value <= field_uniform.threshold {
        return CLEAR;
    }
    let index = (field.value * LAST_COLOR + FIELD_ONE / 2u) / FIELD_ONE;
    let color = textureLoad(colormaps, vec2u(index, field_uniform.colormap), 0).rgb;
    return vec4f(color, 1.0) * field_uniform.opacity;
}

// A light line inside the level set and a dark one outside, of equal width on the screen at any zoom.
fn contour(field: Field, canvas_px: vec2f) -> vec4f {
    let distance = distance_inside(field, canvas_px);
    let coverage = clamp(field_uniform.line_px + 0.5 - abs(distance), 0.0, 1.0);
    let color = mix(DARK, LIGHT, clamp(distance + 0.5, 0.0, 1.0));
    return vec4f(color, 1.0) * coverage;
}

// Canvas pixels to the edge of the foreground, to first order; negative in the background.
fn distance_inside(field: Field, canvas_px: vec2f) -> f32 {
    let excess = f32(field.value) - f32(field_uniform.threshold);
    let slope = length(field.gradient * field_uniform.cells_per_px);
    let is_foreground = 0.0 < excess;
    let far = select(-FAR_PX, FAR_PX, is_foreground);
    let to_level_set = select(far, excess / max(slope, FLAT), FLAT < slope);
    let to_frame = min(canvas_px - field_uniform.frame.xy, field_uniform.frame.zw - canvas_px);
    return select(to_level_set, min(to_level_set, min(to_frame.x, to_frame.y)), is_foreground);
}
