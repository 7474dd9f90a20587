// Two channels of a picture as real and imaginary parts of a field, mirrored into its margin.
// Space: pixels in, cells of the field out, row by row.

@group(0) @binding(0) var<uniform> split: SplitUniform;
// Bytes red, green, blue, alpha.
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read_write> field: array<vec2f>;

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= split.frame) {
        return;
    }
    let place = mirrored(id.xy);
    // What follows blue is 0.
    let values = vec4f(unpack4x8unorm(pixels[place.y * split.picture.x + place.x]).rgb, 0.0);
    let value = vec2f(values[split.channel], values[split.channel + 1u]);
    field[id.y * split.frame.x + id.x] = value;
}

// The pixel that a cell shows. The edge pixel itself is not repeated.
fn mirrored(cell: vec2u) -> vec2u {
    let at = vec2u(abs(vec2i(cell) - vec2i(split.margin)));
    return select(2u * (split.picture - 1u) - at, at, at < split.picture);
}
