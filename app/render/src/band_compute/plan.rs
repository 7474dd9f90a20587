//! Buffers of one picture and the runs that take it apart: mirrored, transformed, and for each band weighted, transformed back, cropped.

use domain::bands::{self, BandEdges};
use domain::coords::PixelSize;
use domain::pixels::Pixels;
use wgpu::BufferUsages;

use super::factors::{Stage, stages, turns};
use super::kernels::{Kernel, Pipelines, Run, are_run_by};
use crate::error::RenderError;
use crate::gpu_data::{SplitUniform, StageUniform};

/// First channel of each field: red with green, blue alone.
const FIELDS: [u32; 2] = [0, 2];

/// Where the transform of a picture takes place.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Without channel and band.
    uniform: SplitUniform,
    /// Along rows, along columns.
    stages: [Vec<Stage>; 2],
}

impl Shape {
    /// Of a picture.
    ///
    /// # Errors
    /// If a side's transform has a factor beyond 2, 3 and 5, or if the buffers are larger than the device allows.
    pub(super) fn of(size: PixelSize, limits: &wgpu::Limits) -> Result<Self, RenderError> {
        let picture = [size.width, size.height];
        let of = |it: fn(usize) -> usize| picture.map(|side| it(side as usize) as u32);
        let (frame, margin) = (of(bands::transform_length), of(bands::margin));
        let unfit = |length| RenderError::UnfitLength { length };
        let stages = |length| stages(length).ok_or_else(|| unfit(length));
        let stages = [stages(frame[0])?, stages(frame[1])?];
        let uniform = SplitUniform { frame, picture, margin, ..Default::default() };
        let shape = Self { uniform, stages };
        let largest = shape.field_bytes().max(shape.plane_bytes());
        let limit = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        if limit < largest || !are_run_by(limits, frame) {
            return Err(RenderError::Unfit { size, bytes: largest, limit });
        }
        Ok(shape)
    }

    fn field_bytes(&self) -> u64 {
        8 * self.uniform.frame.map(u64::from).iter().product::<u64>()
    }

    /// Of three planes.
    fn plane_bytes(&self) -> u64 {
        12 * self.uniform.picture.map(u64::from).iter().product::<u64>()
    }

    /// Shares of the low and the high band at frequencies of 0 and more, with the inverse transform's scale.
    fn shares(&self, edges: BandEdges) -> Vec<[f32; 2]> {
        let [width, height] = self.uniform.frame.map(|it| it as usize);
        let scale = 1.0 / (width * height) as f64;
        let share = |y: usize, x: usize| {
            let (low, high) = edges.shares(bands::radius((y, height), (x, width)));
            [(low * scale) as f32, (high * scale) as f32]
        };
        let bins = (0..=height / 2).flat_map(|y| (0..=width / 2).map(move |x| (y, x)));
        bins.map(|(y, x)| share(y, x)).collect()
    }
}

/// What runs on the device, in its order, and where the results are.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) runs: Vec<Run>,
    /// Planes of the low and of the high band.
    pub(super) planes: [wgpu::Buffer; 2],
}

impl Plan {
    pub(super) fn new(
        (device, queue): (&wgpu::Device, &wgpu::Queue),
        pipelines: &Pipelines,
        shape: &Shape,
        pixels: &Pixels,
        edges: BandEdges,
    ) -> Self {
        let memory = Memory { device, queue };
        let mut writer = Writer {
            memory,
            pipelines,
            shape,
            fields: [0; 3].map(|_| memory.storage(shape.field_bytes())),
            turns: shape.uniform.frame.map(|length| memory.filled(&turns(length))),
            runs: Vec::new(),
        };
        let pixels = memory.filled(pixels.rgba());
        let shares = memory.filled(&shape.shares(edges));
        let planes = [0; 2].map(|_| memory.storage(shape.plane_bytes()));
        for channel in FIELDS {
            writer.field_runs(channel, &pixels, &shares, &planes);
        }
        Self { runs: writer.runs, planes }
    }
}

/// Makes buffers.
#[derive(Clone, Copy)]
struct Memory<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
}

impl Memory<'_> {
    fn buffer(self, size: u64, usage: BufferUsages) -> wgpu::Buffer {
        let label = Some("bands");
        let descriptor = wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false };
        self.device.create_buffer(&descriptor)
    }

    fn storage(self, bytes: u64) -> wgpu::Buffer {
        self.buffer(bytes, BufferUsages::STORAGE | BufferUsages::COPY_SRC)
    }

    fn filled<T: bytemuck::Pod>(self, values: &[T]) -> wgpu::Buffer {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let buffer = self.buffer(size_of_val(values) as u64, usage);
        self.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(values));
        buffer
    }

    fn uniform<T: bytemuck::Pod>(self, value: &T) -> wgpu::Buffer {
        let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let buffer = self.buffer(size_of::<T>() as u64, usage);
        self.queue.write_buffer(&buffer, 0, bytemuck::bytes_of(value));
        buffer
    }
}

/// Writes the runs down.
struct Writer<'a> {
    memory: Memory<'a>,
    pipelines: &'a Pipelines,
    shape: &'a Shape,
    /// Two that a transform goes to and fro between, and one more while the spectrum is kept.
    fields: [wgpu::Buffer; 3],
    /// Of rows, of columns.
    turns: [wgpu::Buffer; 2],
    runs: Vec<Run>,
}

impl Writer<'_> {
    /// Two channels into both bands.
    fn field_runs(
        &mut self,
        channel: u32,
        pixels: &wgpu::Buffer,
        shares: &wgpu::Buffer,
        planes: &[wgpu::Buffer; 2],
    ) {
        let [first, second, third] = self.fields.clone();
        let SplitUniform { frame, picture, .. } = self.shape.uniform;
        let part = |band| SplitUniform { channel, band, ..self.shape.uniform };
        let uniforms = [part(0), part(1)].map(|it| self.memory.uniform(&it));
        self.push(Kernel::Mirror, frame, &[&uniforms[0], pixels, &first]);
        let (spectrum, spare) = self.transform([0, 1], 1.0, (first, second));
        for (uniform, planes) in uniforms.iter().zip(planes) {
            self.push(Kernel::Gain, frame, &[uniform, shares, &spectrum, &third]);
            let (part, _) = self.transform([1, 0], -1.0, (third.clone(), spare.clone()));
            self.push(Kernel::Crop, picture, &[uniform, &part, planes]);
        }
    }

    /// From the first field along both axes, to and fro; answers the field that holds the result, and the other one.
    fn transform(
        &mut self,
        axes: [usize; 2],
        direction: f32,
        (mut from, mut to): (wgpu::Buffer, wgpu::Buffer),
    ) -> (wgpu::Buffer, wgpu::Buffer) {
        let frame = self.shape.uniform.frame;
        for axis in axes {
            for Stage { radix, span } in &self.shape.stages[axis] {
                let (radix, span, axis_index) = (*radix, *span, axis as u32);
                let stage = StageUniform { frame, axis: axis_index, radix, span, direction };
                let (uniform, turns) = (self.memory.uniform(&stage), self.turns[axis].clone());
                self.push(Kernel::Fft, frame, &[&uniform, &turns, &from, &to]);
                std::mem::swap(&mut from, &mut to);
            }
        }
        (from, to)
    }

    fn push(&mut self, kernel: Kernel, size: [u32; 2], buffers: &[&wgpu::Buffer]) {
        self.runs.push(self.pipelines.run(self.memory.device, kernel, size, buffers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_refused_whose_transform_or_memory_does_not_fit() {
        let limits = wgpu::Limits::default();
        let of = |width, height, limits: &wgpu::Limits| {
            Shape::of(PixelSize { width, height }, limits).map(|_| ())
        };
        assert_eq!(of(1936, 1088, &limits), Ok(()));
        let length = 1984;
        assert_eq!(of(1920, 1088, &limits), Err(RenderError::UnfitLength { length }));
        assert_eq!(of(0, 16, &limits), Err(RenderError::UnfitLength { length: 0 }));
        let small = wgpu::Limits { max_buffer_size: 1 << 20, ..wgpu::Limits::default() };
        assert!(matches!(of(448, 448, &small), Err(RenderError::Unfit { limit: 0x10_0000, .. })));
        let none = wgpu::Limits::downlevel_webgl2_defaults();
        assert!(matches!(of(9, 9, &none), Err(RenderError::Unfit { .. })));
    }
}
