//! Every shader is valid, and agrees with its mirrors in Rust: layouts, constants, names.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::mem::offset_of;

use domain::color::TABLE_SIDE;
use domain::heatmap::{FIELD_ONE, FRACTION_ONE};
use domain::id::TILE_PX;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Binding, Expression, Literal, Module, ScalarKind, Type, TypeInner};
use render::gpu_data::{
    BandUniform, FieldUniform, SPAN_OUTSIDE, SPAN_STEP, SplitUniform, StageUniform, TileInstance,
    heatmap_override, tile_override,
};
use render::shaders::{self, Shader};
use wgpu::VertexFormat;

fn parse(shader: Shader) -> Module {
    naga::front::wgsl::parse_str(&shader.source()).unwrap()
}

/// The members of a struct by name and offset, and its size.
fn layout<'a>(module: &'a Module, name: &str) -> (Vec<(&'a str, usize)>, usize) {
    let TypeInner::Struct { members, span } = &struct_named(module, name).inner else {
        unreachable!("found by being a struct");
    };
    let offsets = members.iter().map(|it| (it.name.as_deref().unwrap(), it.offset as usize));
    (offsets.collect(), *span as usize)
}

fn struct_named<'a>(module: &'a Module, name: &str) -> &'a Type {
    let is_it = |ty: &&Type| {
        ty.name.as_deref() == Some(name) && matches!(ty.inner, TypeInner::Struct { .. })
    };
    module.types.iter().map(|(_, ty)| ty).find(is_it).unwrap()
}

fn constant(module: &Module, name: &str) -> f64 {
    let is_it = |it: &&naga::Constant| it.name.as_deref() == Some(name);
    let constant = module.constants.iter().map(|(_, it)| it).find(is_it).unwrap();
    match module.global_expressions[constant.init] {
        Expression::Literal(Literal::U32(value)) => f64::from(value),
        Expression::Literal(Literal::F32(value)) => f64::from(value),
        ref other => unreachable!("`{name}` is no plain number but {other:?}"),
    }
}

#[test]
fn every_shader_is_valid_as_the_renderer_joins_it() {
    for shader in shaders::ALL {
        let module = parse(shader);
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        let result = validator.validate(&module);
        assert!(result.is_ok(), "`{}`: {}", shader.name, result.unwrap_err().into_inner());
    }
}

#[test]
fn every_shader_file_is_used_short_and_begins_with_its_spaces() {
    let used: BTreeSet<String> = shaders::ALL.map(|it| format!("{}.wgsl", it.name)).into();
    let folder = tests::repository().join("shaders");
    let files = |folder: &std::path::Path| -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|it| it == "wgsl")).collect()
    };
    let names = files(&folder).into_iter().map(|it| it.file_name().unwrap().to_owned());
    assert_eq!(names.map(|it| it.into_string().unwrap()).collect::<BTreeSet<_>>(), used);
    for path in files(&folder).into_iter().chain(files(&folder.join("shared"))) {
        let text = fs::read_to_string(&path).unwrap();
        let header: String = text.lines().take_while(|line| line.starts_with("//")).collect();
        assert!(header.to_lowercase().contains("space: "), "{}", path.display());
        assert!(text.lines().count() <= 150, "{}", path.display());
    }
}

#[test]
fn the_field_uniform_has_one_layout() {
    let expected = vec![
        ("clip", offset_of!(FieldUniform, clip)),
        ("canvas", offset_of!(FieldUniform, canvas)),
        ("frame", offset_of!(FieldUniform, frame)),
        ("turn", offset_of!(FieldUniform, turn)),
        ("cells_per_px", offset_of!(FieldUniform, cells_per_px)),
        ("threshold", offset_of!(FieldUniform, threshold)),
        ("colormap", offset_of!(FieldUniform, colormap)),
        ("opacity", offset_of!(FieldUniform, opacity)),
        ("line_px", offset_of!(FieldUniform, line_px)),
        ("pad", offset_of!(FieldUniform, pad)),
    ];
    for shader in [shaders::HEATMAP, shaders::MASK] {
        let module = parse(shader);
        let (members, size) = layout(&module, "FieldUniform");
        assert_eq!(members, expected);
        assert_eq!(size, size_of::<FieldUniform>());
    }
}

#[test]
fn the_band_uniform_has_one_layout() {
    let expected = vec![
        ("clip", offset_of!(BandUniform, clip)),
        ("texels", offset_of!(BandUniform, texels)),
        ("turn", offset_of!(BandUniform, turn)),
        ("gain", offset_of!(BandUniform, gain)),
        ("offset", offset_of!(BandUniform, offset)),
        ("pad", offset_of!(BandUniform, pad)),
    ];
    let module = parse(shaders::BAND);
    let (members, size) = layout(&module, "BandUniform");
    assert_eq!((members, size), (expected, size_of::<BandUniform>()));
}

#[test]
fn the_uniforms_of_taking_a_picture_apart_have_one_layout() {
    let expected = vec![
        ("frame", offset_of!(SplitUniform, frame)),
        ("picture", offset_of!(SplitUniform, picture)),
        ("margin", offset_of!(SplitUniform, margin)),
        ("channel", offset_of!(SplitUniform, channel)),
        ("band", offset_of!(SplitUniform, band)),
    ];
    for shader in [shaders::BAND_MIRROR, shaders::BAND_GAIN, shaders::BAND_CROP] {
        let module = parse(shader);
        let (members, size) = layout(&module, "SplitUniform");
        assert_eq!((members, size), (expected.clone(), size_of::<SplitUniform>()));
    }
    let expected = vec![
        ("frame", offset_of!(StageUniform, frame)),
        ("axis", offset_of!(StageUniform, axis)),
        ("radix", offset_of!(StageUniform, radix)),
        ("span", offset_of!(StageUniform, span)),
        ("direction", offset_of!(StageUniform, direction)),
    ];
    let module = parse(shaders::BAND_FFT);
    let (members, size) = layout(&module, "StageUniform");
    assert_eq!((members, size), (expected, size_of::<StageUniform>()));
}

#[test]
fn the_tile_instance_feeds_the_inputs_of_its_shader() {
    let module = parse(shaders::TILE);
    let TypeInner::Struct { members, .. } = &struct_named(&module, "TileInstance").inner else {
        unreachable!("found by being a struct");
    };
    let inputs: Vec<(&str, u32, VertexFormat)> = members
        .iter()
        .map(|member| {
            let Some(Binding::Location { location, .. }) = member.binding else {
                unreachable!("every member has a location");
            };
            let format = vertex_format(&module.types[member.ty].inner);
            (member.name.as_deref().unwrap(), location, format)
        })
        .collect();
    let fields = [
        ("clip", offset_of!(TileInstance, clip)),
        ("texels", offset_of!(TileInstance, texels)),
        ("texel_limit", offset_of!(TileInstance, texel_limit)),
        ("crispness", offset_of!(TileInstance, crispness)),
        ("tap_offset", offset_of!(TileInstance, tap_offset)),
        ("layer", offset_of!(TileInstance, layer)),
        ("turn", offset_of!(TileInstance, turn)),
    ];
    assert_eq!((inputs.len(), TileInstance::ATTRIBUTES.len()), (fields.len(), fields.len()));
    for ((name, offset), attribute) in fields.into_iter().zip(TileInstance::ATTRIBUTES) {
        assert!(inputs.contains(&(name, attribute.shader_location, attribute.format)), "{name}");
        assert_eq!(attribute.offset, offset as u64, "{name}");
    }
}

fn vertex_format(inner: &TypeInner) -> VertexFormat {
    match inner {
        TypeInner::Scalar(scalar) if scalar.kind == ScalarKind::Float => VertexFormat::Float32,
        TypeInner::Scalar(scalar) if scalar.kind == ScalarKind::Uint => VertexFormat::Uint32,
        TypeInner::Vector { size: naga::VectorSize::Bi, .. } => VertexFormat::Float32x2,
        TypeInner::Vector { size: naga::VectorSize::Quad, .. } => VertexFormat::Float32x4,
        other => unreachable!("no input is a {other:?}"),
    }
}

#[test]
fn the_constants_that_specialize_a_shader_exist() {
    let overrides = |shader: Shader| -> BTreeSet<String> {
        parse(shader).overrides.iter().filter_map(|(_, it)| it.name.clone()).collect()
    };
    let set =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|it| (*it).into()).collect() };
    let expected = set(&[tile_override::HAS_FOUR_TAPS, tile_override::HAS_COLOR_TABLE]);
    assert_eq!(overrides(shaders::TILE), expected);
    let expected = set(&[heatmap_override::HAS_FILL, heatmap_override::HAS_CONTOUR]);
    assert_eq!(overrides(shaders::HEATMAP), expected);
    assert_eq!(overrides(shaders::MASK), set(&[]));
}

#[test]
fn shader_and_domain_count_in_the_same_units() {
    let field = parse(shaders::MASK);
    assert_eq!(constant(&field, "FIELD_ONE"), f64::from(FIELD_ONE));
    assert_eq!(constant(&field, "FRACTION_ONE"), f64::from(FRACTION_ONE));
    assert_eq!(constant(&field, "FRACTION_BITS").exp2(), f64::from(FRACTION_ONE));
    assert_eq!(constant(&field, "OUTSIDE"), f64::from(SPAN_OUTSIDE));
    assert_eq!(constant(&field, "STEP"), f64::from(SPAN_STEP));
    const { assert!(FRACTION_ONE < SPAN_STEP, "a fraction and the step share one number") };
    let tile = parse(shaders::TILE);
    assert_eq!(constant(&tile, "LAYER_PX"), f64::from(TILE_PX));
    assert_eq!(constant(&tile, "TABLE_SIDE"), f64::from(TABLE_SIDE));
}
