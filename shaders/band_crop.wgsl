// Real and imaginary parts of a field as planes of two channels, without the margin.
// Space: cells of the field in, pixels out: red, green and blue one after the other, each row by row.

@group(0) @binding(0) var<uniform> split: SplitUniform;
@group(0) @binding(1) var<storage, read> field: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> planes: array<f32>;

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= split.picture) {
        return;
    }
    let cell = id.xy + split.margin;
    let value = field[cell.y * split.frame.x + cell.x];
    let plane = split.picture.x * split.picture.y;
    let at = split.channel * plane + id.y * split.picture.x + id.x;
    planes[at] = value.x;
    if split.channel + 1u < CHANNELS {
        planes[at + plane] = value.y;
    }
}
