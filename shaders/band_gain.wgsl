// A spectrum times the share of one band. The shares are real and the same in all directions, so that two channels stay apart.
// Space: bins of the field's transform in and out, row by row.

@group(0) @binding(0) var<uniform> split: SplitUniform;
// Shares of the low and of the high band at frequencies of 0 and more, with the scale of the inverse transform.
@group(0) @binding(1) var<storage, read> shares: array<vec2f>;
@group(0) @binding(2) var<storage, read> spectrum: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> part: array<vec2f>;

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= split.frame) {
        return;
    }
    let bin = min(id.xy, split.frame - id.xy);
    let share = shares[bin.y * (split.frame.x / 2u + 1u) + bin.x];
    let cell = id.y * split.frame.x + id.x;
    part[cell] = spectrum[cell] * share[split.band];
}
