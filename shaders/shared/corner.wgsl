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
