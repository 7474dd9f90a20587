//! Values back from the device.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::error::RenderError;

/// Time between two looks: a device that is waited for without a break cannot be used by others.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// After this a device hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A buffer that can be read, with what `from` will hold once `encoder` has run.
pub(crate) fn copied(
    device: &wgpu::Device,
    encoder: &mut wgpu::CommandEncoder,
    from: &wgpu::Buffer,
) -> wgpu::Buffer {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("readback"),
        size: from.size(),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(from, 0, &buffer, 0, from.size());
    buffer
}

/// All values of a buffer, once everything that was submitted before is done.
///
/// # Errors
/// If the device is lost, hangs, or refuses to show its memory.
pub(crate) fn read<T: bytemuck::Pod>(
    device: &wgpu::Device,
    buffer: &wgpu::Buffer,
) -> Result<Vec<T>, RenderError> {
    let lost = |error: &dyn std::fmt::Display| RenderError::Readback(error.to_string());
    let (sender, receiver) = mpsc::sync_channel(1);
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is gone only if nobody waits any longer.
        drop(sender.send(result));
    });
    let begin = Instant::now();
    loop {
        device.poll(wgpu::PollType::Poll).map_err(|error| lost(&error))?;
        match receiver.recv_timeout(LOOK_EVERY) {
            Ok(result) => break result.map_err(|error| lost(&error))?,
            Err(RecvTimeoutError::Timeout) if begin.elapsed() < PATIENCE => {}
            Err(error) => return Err(lost(&error)),
        }
    }
    let view = buffer.get_mapped_range(..).map_err(|error| lost(&error))?;
    Ok(bytemuck::pod_collect_to_vec(&view))
}
