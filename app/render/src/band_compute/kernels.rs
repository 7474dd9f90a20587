//! The compute shaders as pipelines, and one run of one of them.

use crate::shaders::{self, Shader};

/// Threads of a workgroup along a row; that of every `band_*.wgsl`.
const GROUP: u32 = 64;

/// A compute shader.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    /// Pixels to a field.
    Mirror,
    /// One stage of a transform.
    Fft,
    /// One band of a spectrum.
    Gain,
    /// A field to planes.
    Crop,
}

/// One pipeline a kernel, in the order of [`Kernel`].
#[derive(Debug)]
pub(super) struct Pipelines([wgpu::ComputePipeline; 4]);

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let shaders =
            [shaders::BAND_MIRROR, shaders::BAND_FFT, shaders::BAND_GAIN, shaders::BAND_CROP];
        Self(shaders.map(|shader| pipeline(device, shader)))
    }

    fn of(&self, kernel: Kernel) -> &wgpu::ComputePipeline {
        let [mirror, fft, gain, crop] = &self.0;
        match kernel {
            Kernel::Mirror => mirror,
            Kernel::Fft => fft,
            Kernel::Gain => gain,
            Kernel::Crop => crop,
        }
    }

    /// A kernel over `size` cells with its buffers, which are bound in the order of the shader's bindings.
    pub(super) fn run(
        &self,
        device: &wgpu::Device,
        kernel: Kernel,
        size: [u32; 2],
        buffers: &[&wgpu::Buffer],
    ) -> Run {
        let resources = buffers.iter().map(|buffer| buffer.as_entire_binding());
        let entry = |(binding, resource)| wgpu::BindGroupEntry { binding, resource };
        let entries: Vec<_> = (0..).zip(resources).map(entry).collect();
        let layout = self.of(kernel).get_bind_group_layout(0);
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("bands"),
            layout: &layout,
            entries: &entries,
        });
        Run { kernel, bind_group, groups: groups(size) }
    }

    /// Runs them one after the other.
    pub(super) fn record(&self, encoder: &mut wgpu::CommandEncoder, runs: &[Run]) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("bands"), ..Default::default() };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for run in runs {
            pass.set_pipeline(self.of(run.kernel));
            pass.set_bind_group(0, &run.bind_group, &[]);
            pass.dispatch_workgroups(run.groups[0], run.groups[1], 1);
        }
    }
}

/// A kernel with what it reads and writes.
#[derive(Debug)]
pub(super) struct Run {
    kernel: Kernel,
    bind_group: wgpu::BindGroup,
    groups: [u32; 2],
}

/// Workgroups over `size` cells.
fn groups([width, height]: [u32; 2]) -> [u32; 2] {
    [width.div_ceil(GROUP), height]
}

/// Whether a device runs kernels over `size` cells.
pub(super) fn are_run_by(limits: &wgpu::Limits, size: [u32; 2]) -> bool {
    let most = groups(size).into_iter().max().unwrap_or(0);
    GROUP <= limits.max_compute_workgroup_size_x
        && GROUP <= limits.max_compute_invocations_per_workgroup
        && 3 <= limits.max_storage_buffers_per_shader_stage
        && most <= limits.max_compute_workgroups_per_dimension
}

fn pipeline(device: &wgpu::Device, shader: Shader) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(shader.name),
        layout: None,
        module: &shader.compile(device),
        entry_point: Some("cs_main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}
