//! Operations of one to three tensors, computed on plain slices in either float type: given back to the tensor library with
//! their gradients one by one, or chained on a [`super::tape`].

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail,
};

use super::storage::{on_cpu, read, slice, tensor};
use super::vectors::Vectors;

/// What an operation of `N` tensors computes; the library around it does the rest.
pub(crate) trait Fused<const N: usize = 3>: Send + Sync {
    /// Its name in error texts.
    const NAME: &'static str;

    /// What both passes need to know of the shapes.
    type Plan: Send + Sync;

    /// Checks the inputs' shapes; also that of the output.
    ///
    /// # Errors
    /// If the inputs do not fit each other.
    fn plan(&self, dims: [&[usize]; N]) -> Result<(Self::Plan, Shape)>;

    /// The output's values, row-major like those of the inputs.
    fn forward<T: Vectors>(&self, plan: &Self::Plan, inputs: [&[T]; N]) -> Vec<T>;

    /// Gradients in the inputs from the output `y` and the gradient `dy` in it.
    fn backward<T: Vectors>(
        &self,
        plan: &Self::Plan,
        inputs: [&[T]; N],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; N];

    /// As [`Self::backward`]; the gradient in an input that nobody asks for may stay empty.
    fn backward_of<T: Vectors>(
        &self,
        _asked: [bool; N],
        plan: &Self::Plan,
        inputs: [&[T]; N],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; N] {
        self.backward(plan, inputs, y, dy)
    }
}

/// Applies an operation of one tensor, on any device; differentiable.
///
/// # Errors
/// If the input has the wrong shape or is neither `f32` nor `f64`.
pub(crate) fn apply1<F: Fused<1> + 'static>(operation: F, x: &Tensor) -> Result<Tensor> {
    on_cpu([x], |[x]| x.apply_op1(Op(operation)))
}

/// Applies an operation of two tensors, on any device; differentiable.
///
/// # Errors
/// If the inputs do not fit each other or are neither `f32` nor `f64`.
pub(crate) fn apply2<F: Fused<2> + 'static>(operation: F, inputs: [&Tensor; 2]) -> Result<Tensor> {
    on_cpu(inputs, |[a, b]| a.apply_op2(&b, Op(operation)))
}

/// Applies an operation of three tensors, on any device; differentiable.
///
/// # Errors
/// If the inputs do not fit each other or are neither `f32` nor `f64`.
pub(crate) fn apply<F: Fused + 'static>(operation: F, inputs: [&Tensor; 3]) -> Result<Tensor> {
    on_cpu(inputs, |[a, b, c]| a.apply_op3(&b, &c, Op(operation)))
}

/// `N` says how many tensors the library hands over.
struct Op<F, const N: usize>(F);

impl<F: Fused<N>, const N: usize> Op<F, N> {
    fn values(&self, inputs: [(&CpuStorage, &Layout); N]) -> Result<(CpuStorage, Shape)> {
        let (plan, shape) = self.0.plan(inputs.map(|(_, layout)| layout.dims()))?;
        let y = match inputs.first() {
            Some((CpuStorage::F32(_), _)) => CpuStorage::F32(self.forward(&plan, inputs)?),
            Some((CpuStorage::F64(_), _)) => CpuStorage::F64(self.forward(&plan, inputs)?),
            _ => bail!("{}: expected f32 or f64", F::NAME),
        };
        Ok((y, shape))
    }

    fn forward<T: Vectors>(
        &self,
        plan: &F::Plan,
        inputs: [(&CpuStorage, &Layout); N],
    ) -> Result<Vec<T>> {
        let mut values: [&[T]; N] = [&[]; N];
        for (values, (storage, layout)) in values.iter_mut().zip(inputs) {
            *values = slice(storage, layout)?;
        }
        Ok(self.0.forward(plan, values))
    }

    fn gradients(
        &self,
        inputs: [&Tensor; N],
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let dy = dy.contiguous()?;
        match y.dtype() {
            DType::F64 => self.gradients_of::<f64>(inputs, y, &dy),
            _ => self.gradients_of::<f32>(inputs, y, &dy),
        }
    }

    fn gradients_of<T: Vectors>(
        &self,
        inputs: [&Tensor; N],
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let (plan, _) = self.0.plan(inputs.map(Tensor::dims))?;
        let asked = inputs.map(Tensor::track_op);
        let gradients = read_all(inputs, |values| {
            let backward = |y: &[T], dy: &[T]| self.0.backward_of(asked, &plan, values, y, dy);
            read(y, |y| read(dy, |dy| Ok(backward(y, dy))))
        })?;
        let mut found = [const { None }; N];
        for (at, gradient) in gradients.into_iter().enumerate() {
            if asked[at] {
                found[at] = Some(tensor(gradient, inputs[at].shape())?);
            }
        }
        Ok(found)
    }
}

/// Calls `f` with the elements of contiguous CPU tensors.
fn read_all<T: Vectors, R, const N: usize>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[T]; N]) -> Result<R>,
) -> Result<R> {
    let guards = tensors.map(Tensor::storage_and_layout);
    let mut values: [&[T]; N] = [&[]; N];
    for (values, (storage, layout)) in values.iter_mut().zip(&guards) {
        match &**storage {
            candle_core::Storage::Cpu(storage) => *values = slice(storage, layout)?,
            _ => bail!("expected tensors in main memory"),
        }
    }
    f(values)
}

impl<F: Fused<1>> CustomOp1 for Op<F, 1> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.values([(x, layout)])
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [dx] = self.gradients([x], y, dy)?;
        Ok(dx)
    }
}

impl<F: Fused<2>> CustomOp2 for Op<F, 2> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.values([(a, a_layout), (b, b_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok(self.gradients([a, b], y, dy)?.into())
    }
}

impl<F: Fused> CustomOp3 for Op<F, 3> {
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
        self.values([(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok(self.gradients([a, b, c], y, dy)?.into())
    }
}
