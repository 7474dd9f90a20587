// One band of the picture: values of any sign, drawn as shades around an offset.
// Space: texels of the band in, opaque colors out.

struct BandUniform {
    // Drawn rectangle: left, top, right, bottom in clip space.
    clip: vec4f,
    // The same corners in texels.
    texels: vec4f,
    // As `turned` takes it.
    turn: vec4f,
    // A value is drawn as `offset + gain * value`.
    gain: f32,
    offset: f32,
    pad: vec2f,
}

struct VertexOut {
    @builtin(position) position: vec4f,
    @location(0) texel: vec2f,
}

@group(0) @binding(0) var<uniform> band_uniform: BandUniform;
@group(0) @binding(1) var values: texture_2d<f32>;

@vertex
fn vs_main(@builtin(vertex_index) corner: u32) -> VertexOut {
    var out: VertexOut;
    out.position = turned(corner_of(band_uniform.clip, corner), band_uniform.turn);
    out.texel = corner_of(band_uniform.texels, corner);
    return out;
}

@fragment
fn fs_main(in: VertexOut) -> @location(0) vec4f {
    let last = vec2f(textureDimensions(values)) - 1.0;
    let place = clamp(in.texel - 0.5, vec2f(0.0), last);
    let low = floor(place);
    let high = min(low + 1.0, last);
    let part = place - low;
    let above = mix(value_at(low), value_at(vec2f(high.x, low.y)), part.x);
    let below = mix(value_at(vec2f(low.x, high.y)), value_at(high), part.x);
    let value = mix(above, below, part.y);
    return vec4f(clamp(band_uniform.offset + band_uniform.gain * value, vec3f(0.0), vec3f(1.0)), 1.0);
}

fn value_at(texel: vec2f) -> vec3f {
    return textureLoad(values, vec2u(texel), 0).rgb;
}
