//! Operations of three tensors, computed on plain slices in either float type and given back to the tensor library with their
//! gradients.

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use super::storage::{on_cpu, read, slice, tensor};
use super::vectors::Vectors;

/// What an operation computes; the library around it does the rest.
pub(crate) trait Fused: Send + Sync {
    /// Its name in error texts.
    const NAME: &'static str;

    /// What both passes need to know of the shapes.
    type Plan;

    /// Checks the inputs' shapes; also that of the output.
    ///
    /// # Errors
    /// If the inputs do not fit each other.
    fn plan(&self, dims: [&[usize]; 3]) -> Result<(Self::Plan, Shape)>;

    /// The output's values, row-major like those of the inputs.
    fn forward<T: Vectors>(&self, plan: &Self::Plan, inputs: [&[T]; 3]) -> Vec<T>;

    /// Gradients in the inputs from the output `y` and the gradient `dy` in it.
    fn backward<T: Vectors>(
        &self,
        plan: &Self::Plan,
        inputs: [&[T]; 3],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3];
}

/// Applies an operation to tensors on any device; differentiable.
///
/// # Errors
/// If the inputs do not fit each other or are neither `f32` nor `f64`.
pub(crate) fn apply<F: Fused + 'static>(operation: F, inputs: [&Tensor; 3]) -> Result<Tensor> {
    on_cpu(inputs, |[a, b, c]| a.apply_op3(&b, &c, Op(operation)))
}

struct Op<F>(F);

impl<F: Fused> CustomOp3 for Op<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [(a, a_layout), (b, b_layout), (c, c_layout)];
        let (plan, shape) = self.0.plan(inputs.map(|(_, layout)| layout.dims()))?;
        let y = match a {
            CpuStorage::F32(_) => CpuStorage::F32(self.forward(&plan, inputs)?),
            CpuStorage::F64(_) => CpuStorage::F64(self.forward(&plan, inputs)?),
            _ => bail!("{}: expected f32 or f64", F::NAME),
        };
        Ok((y, shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let [da, db, dc] = match a.dtype() {
            DType::F64 => self.gradients::<f64>([a, b, c], y, &dy)?,
            _ => self.gradients::<f32>([a, b, c], y, &dy)?,
        };
        Ok((Some(da), Some(db), Some(dc)))
    }
}

impl<F: Fused> Op<F> {
    fn forward<T: Vectors>(
        &self,
        plan: &F::Plan,
        inputs: [(&CpuStorage, &Layout); 3],
    ) -> Result<Vec<T>> {
        let [a, b, c] = inputs.map(|(storage, layout)| slice(storage, layout));
        Ok(self.0.forward(plan, [a?, b?, c?]))
    }

    fn gradients<T: Vectors>(
        &self,
        inputs: [&Tensor; 3],
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Tensor; 3]> {
        let [a, b, c] = inputs;
        let (plan, _) = self.0.plan(inputs.map(Tensor::dims))?;
        let [da, db, dc] = read(a, |a| {
            read(b, |b| {
                read(c, |c| {
                    let backward = |y: &[T], dy: &[T]| self.0.backward(&plan, [a, b, c], y, dy);
                    read(y, |y| read(dy, |dy| Ok(backward(y, dy))))
                })
            })
        })?;
        Ok([tensor(da, a.shape())?, tensor(db, b.shape())?, tensor(dc, c.shape())?])
    }
}
