// The corners of a rectangle (left, top, right, bottom) in the order of a triangle strip of four.
// Space: that of the rectangle in and out.

fn corner_of(rectangle: vec4f, corner: u32) -> vec2f {
    let is_right = (corner & 1u) == 1u;
    let is_bottom = (corner & 2u) == 2u;
    return vec2f(
        select(rectangle.x, rectangle.z, is_right),
        select(rectangle.y, rectangle.w, is_bottom),
    );
}

// From the clip space of the upright canvas to that of the screen's, which the slide is turned on: by a matrix, row by row.
fn turned(clip: vec2f, turn: vec4f) -> vec4f {
    return vec4f(dot(turn.xy, clip), dot(turn.zw, clip), 0.0, 1.0);
}
