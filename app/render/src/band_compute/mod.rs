//! The low and the high band of a picture by compute shaders, for devices on which these are faster than the processor.
//!
//! The conventions are those of [`domain::bands`], and `tests/image_bands.rs` holds both paths together. Two channels travel as real and
//! imaginary part of one field. Pipelines are made once; buffers live as long as one picture takes.

mod factors;
mod kernels;
mod plan;

use std::sync::OnceLock;

use domain::bands::BandEdges;
use domain::pixels::Pixels;

use crate::error::RenderError;
use crate::readback;
use kernels::Pipelines;
use plan::{Plan, Shape};

/// A device that takes pictures apart. Every call waits for it: not for the thread of a window.
#[derive(Debug)]
pub struct BandCompute {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: OnceLock<Pipelines>,
}

/// Two bands of a picture: planes red, green and blue, each row-major, of the picture's `0.0..=1.0`.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterBands {
    /// Below the low edge.
    pub low: Vec<f32>,
    /// Above the high edge.
    pub high: Vec<f32>,
}

impl BandCompute {
    /// On a device that others draw with too. Nothing is made before the first picture.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self { device, queue, pipelines: OnceLock::new() }
    }

    /// Takes a picture apart; transparent pixels have the color they hide.
    ///
    /// # Errors
    /// If the edges are out of order, a side does not fit ([`domain::bands::side_with_smooth_transform`] finds one that does), or the
    /// device refuses.
    pub fn split(&self, pixels: &Pixels, edges: BandEdges) -> Result<OuterBands, RenderError> {
        if !edges.is_in_order() {
            return Err(RenderError::Compute(format!("bands out of order: {edges:?}")));
        }
        let shape = Shape::of(pixels.size(), &self.device.limits())?;
        let [low, high] = self.watched(|| self.submit(&shape, pixels, edges))?;
        Ok(OuterBands {
            low: readback::read(&self.device, &low)?,
            high: readback::read(&self.device, &high)?,
        })
    }

    /// Sends the work off; answers buffers to be read.
    fn submit(&self, shape: &Shape, pixels: &Pixels, edges: BandEdges) -> [wgpu::Buffer; 2] {
        let pipelines = self.pipelines.get_or_init(|| Pipelines::new(&self.device));
        let plan = Plan::new((&self.device, &self.queue), pipelines, shape, pixels, edges);
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        pipelines.record(&mut encoder, &plan.runs);
        let read = plan.planes.map(|planes| readback::copied(&self.device, &mut encoder, &planes));
        self.queue.submit([encoder.finish()]);
        read
    }

    /// What `work` makes, unless the device had an objection.
    fn watched<T>(&self, work: impl FnOnce() -> T) -> Result<T, RenderError> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let made = work();
        let found = [pollster::block_on(validation.pop()), pollster::block_on(memory.pop())];
        match found.into_iter().flatten().next() {
            Some(error) => Err(RenderError::Compute(error.to_string())),
            None => Ok(made),
        }
    }
}
