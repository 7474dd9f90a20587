//! From candle tensors to slices and back.

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, WithDType, bail};

/// The elements of a contiguous CPU tensor inside an op.
///
/// # Errors
/// If the layout has gaps or the type is another one.
pub(crate) fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let data = storage.as_slice::<T>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => bail!("expected a contiguous tensor, found strides {:?}", layout.stride()),
    }
}

/// Calls `f` with the elements of a contiguous CPU tensor.
///
/// # Errors
/// If the tensor is elsewhere, has gaps or another type; or those of `f`.
pub(crate) fn read<T: WithDType, R>(
    tensor: &Tensor,
    f: impl FnOnce(&[T]) -> Result<R>,
) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(slice(storage, layout)?),
        _ => bail!("expected a tensor in main memory, found {:?}", tensor.device().location()),
    }
}

/// Calls `f` with the elements of contiguous CPU tensors.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_all<T: WithDType, R>(
    tensors: &[Tensor],
    f: impl FnOnce(&[&[T]]) -> Result<R>,
) -> Result<R> {
    let guards: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let slices = guards.iter().map(|(storage, layout)| match &**storage {
        Storage::Cpu(storage) => slice(storage, layout),
        _ => bail!("expected tensors in main memory"),
    });
    f(&slices.collect::<Result<Vec<_>>>()?)
}

/// The elements of a contiguous CPU tensor, row-major.
///
/// # Errors
/// As [`read`].
pub(crate) fn to_vec<T: WithDType>(tensor: &Tensor) -> Result<Vec<T>> {
    tensor.flatten_all()?.to_vec1()
}

/// A CPU tensor that takes over `data`.
///
/// # Errors
/// If the shape holds another number of elements.
pub(crate) fn tensor<T: WithDType>(data: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(data, shape.into(), &Device::Cpu)
}

/// Calls `op` with contiguous copies in main memory of tensors that may be on a GPU, and takes its result
/// back there: the ops of this folder compute on the CPU only. Differentiable.
///
/// # Errors
/// Those of `op` and of the copies.
pub(crate) fn on_cpu<const N: usize>(
    inputs: [&Tensor; N],
    op: impl FnOnce([Tensor; N]) -> Result<Tensor>,
) -> Result<Tensor> {
    let device = inputs.first().map_or(Device::Cpu, |it| it.device().clone());
    let mut moved = inputs.map(Tensor::clone);
    for input in &mut moved {
        *input = in_main_memory(input)?;
    }
    op(moved)?.to_device(&device)
}

/// A contiguous copy in main memory, or the tensor itself if it is that. Differentiable.
///
/// # Errors
/// Those of the copy.
pub(crate) fn in_main_memory(tensor: &Tensor) -> Result<Tensor> {
    tensor.to_device(&Device::Cpu)?.contiguous()
}
