// One stage of a Fourier transform after Stockham along rows or columns of a field: `radix` transforms of `span` values each
// become one of `radix * span`. No value is reordered at the end.
// Space: cells of the field in and out, row by row.

struct StageUniform {
    // Columns and rows of the field.
    frame: vec2u,
    // 0 = along rows, 1 = along columns.
    axis: u32,
    // How many transforms become one.
    radix: u32,
    // Length of each of them.
    span: u32,
    // 1 = forward, -1 = inverse without its scale.
    direction: f32,
}

@group(0) @binding(0) var<uniform> stage: StageUniform;
// exp(-2 pi i t / length) of t in 0 .. length.
@group(0) @binding(1) var<storage, read> turns: array<vec2f>;
@group(0) @binding(2) var<storage, read> before: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> after: array<vec2f>;

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= stage.frame) {
        return;
    }
    let step = vec2u(1u, stage.frame.x)[stage.axis];
    let length = stage.frame[stage.axis];
    let place = id.xy[stage.axis];
    let cell = id.y * stage.frame.x + id.x;

    // The frequency within the joined transform, and the first value that has a part in it.
    let joined = stage.radix * stage.span;
    let frequency = place % joined;
    let first = place / joined * stage.span + frequency % stage.span;
    let turn = frequency * (length / joined);

    let line = cell - place * step;
    let apart = length / stage.radix;
    var sum = vec2f(0.0);
    for (var part = 0u; part < stage.radix; part++) {
        let value = before[line + (first + part * apart) * step];
        let by = turns[part * turn % length] * vec2f(1.0, stage.direction);
        sum += vec2f(value.x * by.x - value.y * by.y, value.x * by.y + value.y * by.x);
    }
    after[cell] = sum;
}
