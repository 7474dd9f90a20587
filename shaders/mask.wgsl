// The binary mask: 1 where the field exceeds the cut-off, else 0.
// Preceded by `shared/field.wgsl`. Space: pixels of the mask's raster in, one channel out.

@fragment
fn fs_main(in: VertexOut) -> @location(0) vec4f {
    let field = field_at(in.canvas_px);
    let is_foreground = field.inside && field_uniform.threshold < field.value;
    return vec4f(select(0.0, 1.0, is_foreground));
}
