//! A chain of operations as one operation of the tensor library.
//!
//! On its way back the library adds every gradient to a tensor of zeros, on one thread, and keeps all of them until the last
//! one is there. On a tape a gradient that one operation alone asks for is handed on as it is, sums run on all threads, and
//! values and gradients go as soon as nothing needs them any more.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::Fused;
use super::storage::{on_cpu, read, slice, tensor};
use super::vectors::Vectors;

/// Values per task of a sum.
const CHUNK: usize = 16 * 1024;

/// A value of a chain: one that it was given, or one that it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The input, then the parameters in their order.
    Given(usize),
    /// The result of an operation.
    Made(usize),
}

impl Slot {
    /// What the chain computes on.
    pub(crate) const INPUT: Self = Self::Given(0);

    /// The `index`-th parameter.
    pub(crate) fn parameter(index: usize) -> Self {
        Self::Given(index + 1)
    }
}

/// A chain of operations.
pub(crate) trait Chain: Send + Sync + 'static {
    /// Its name in error texts.
    const NAME: &'static str;

    /// Runs it once; what the last operation made is its result.
    ///
    /// # Errors
    /// If values do not fit each other.
    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot>;
}

/// Runs a chain on `x` and parameters, on any device; differentiable once.
///
/// # Errors
/// Those of the chain; if a tensor is neither `f32` nor `f64`.
pub(crate) fn chained<C: Chain>(chain: C, x: &Tensor, parameters: &[&Tensor]) -> Result<Tensor> {
    let shapes = parameters.iter().map(|it| it.shape().clone()).collect();
    let flat = parameters.iter().map(|it| it.flatten_all()).collect::<Result<Vec<_>>>()?;
    let operation = Chained { chain, shapes, record: Mutex::new(None) };
    on_cpu([x, &Tensor::cat(&flat, 0)?], |[x, all]| x.apply_op2(&all, operation))
}

/// A chain while it runs.
pub(crate) struct Tape<'a, T> {
    given: Vec<(&'a [T], &'a Shape)>,
    record: Record<T>,
}

/// What the way back needs.
struct Record<T> {
    made: Vec<(Vec<T>, Shape)>,
    steps: Vec<Box<dyn Step<T>>>,
}

impl<T: Vectors> Tape<'_, T> {
    /// Adds an operation to the end.
    ///
    /// # Errors
    /// If its inputs do not fit each other.
    pub(crate) fn apply<F: Fused<N> + 'static, const N: usize>(
        &mut self,
        operation: F,
        inputs: [Slot; N],
    ) -> Result<Slot> {
        let (plan, shape) = operation.plan(inputs.map(|slot| self.shape(slot).dims()))?;
        let values = operation.forward(&plan, inputs.map(|slot| self.values(slot)));
        self.record.made.push((values, shape));
        self.record.steps.push(Box::new(Applied { operation, plan, inputs }));
        Ok(Slot::Made(self.record.made.len() - 1))
    }

    /// A value, row-major.
    pub(crate) fn values(&self, slot: Slot) -> &[T] {
        match slot {
            Slot::Given(at) => self.given[at].0,
            Slot::Made(at) => &self.record.made[at].0,
        }
    }

    /// The shape of a value.
    pub(crate) fn shape(&self, slot: Slot) -> &Shape {
        match slot {
            Slot::Given(at) => self.given[at].1,
            Slot::Made(at) => &self.record.made[at].1,
        }
    }
}

/// An operation on its way back.
trait Step<T>: Send + Sync {
    /// Gradients in those of its inputs that are `asked` for.
    fn back<'v>(
        &self,
        asked: &dyn Fn(Slot) -> bool,
        values: &dyn Fn(Slot) -> &'v [T],
        y: &[T],
        dy: &[T],
    ) -> Vec<(Slot, Vec<T>)>
    where
        T: 'v;
}

struct Applied<F: Fused<N>, const N: usize> {
    operation: F,
    plan: F::Plan,
    inputs: [Slot; N],
}

impl<T: Vectors, F: Fused<N>, const N: usize> Step<T> for Applied<F, N> {
    fn back<'v>(
        &self,
        asked: &dyn Fn(Slot) -> bool,
        values: &dyn Fn(Slot) -> &'v [T],
        y: &[T],
        dy: &[T],
    ) -> Vec<(Slot, Vec<T>)>
    where
        T: 'v,
    {
        let of = self.inputs.map(asked);
        let gradients = self.operation.backward_of(of, &self.plan, self.inputs.map(values), y, dy);
        self.inputs.into_iter().zip(gradients).filter(|(slot, _)| asked(*slot)).collect()
    }
}

/// Gradients so far.
struct Sums<T> {
    given: Vec<Option<Vec<T>>>,
    made: Vec<Option<Vec<T>>>,
}

impl<T: Vectors> Sums<T> {
    fn add(&mut self, slot: Slot, gradient: Vec<T>) {
        let sum = match slot {
            Slot::Given(at) => &mut self.given[at],
            Slot::Made(at) => &mut self.made[at],
        };
        match sum {
            None => *sum = Some(gradient),
            Some(sum) => {
                let parts = sum.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
                parts.for_each(|(sum, more)| sum.iter_mut().zip(more).for_each(|(a, b)| *a += *b));
            }
        }
    }
}

impl<T: Vectors> Record<T> {
    /// Gradients in what the chain was given, from its result `y` and the gradient `dy` in it.
    fn back(
        mut self,
        given: &[&[T]],
        asked: &dyn Fn(Slot) -> bool,
        y: &[T],
        dy: &[T],
    ) -> Vec<Option<Vec<T>>> {
        let count = self.steps.len();
        let mut sums = Sums { given: vec![None; given.len()], made: vec![None; count] };
        for (at, step) in self.steps.iter().enumerate().rev() {
            let handed = sums.made[at].take();
            let (y, dy) = match &handed {
                Some(dy) => (self.made[at].0.as_slice(), dy.as_slice()),
                None if at + 1 == count => (y, dy),
                None => continue,
            };
            let values = |slot| match slot {
                Slot::Given(at) => given[at],
                Slot::Made(at) => &self.made[at].0,
            };
            for (slot, gradient) in step.back(asked, &values, y, dy) {
                sums.add(slot, gradient);
            }
            self.made[at].0 = Vec::new();
        }
        sums.given
    }
}

struct Chained<C> {
    chain: C,
    /// Of the parameters, which lie one behind the other in one tensor.
    shapes: Vec<Shape>,
    /// The `Record` of the last run.
    record: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<C: Chain> Chained<C> {
    /// The input and every parameter.
    fn given<'a, T>(&self, x: &'a [T], mut all: &'a [T]) -> Vec<&'a [T]> {
        let mut given = vec![x];
        for shape in &self.shapes {
            let (parameter, rest) = all.split_at(shape.elem_count());
            given.push(parameter);
            all = rest;
        }
        given
    }

    fn forward<T: Vectors>(&self, x: (&[T], &Shape), all: &[T]) -> Result<(Vec<T>, Shape)> {
        let shapes = std::iter::once(x.1).chain(&self.shapes);
        let given = self.given(x.0, all).into_iter().zip(shapes).collect();
        let mut tape = Tape { given, record: Record { made: Vec::new(), steps: Vec::new() } };
        let result = self.chain.run(&mut tape)?;
        let mut record = tape.record;
        let Some((y, shape)) = record.made.last_mut() else { bail!("{}: no operation", C::NAME) };
        let (y, shape) = (std::mem::take(y), shape.clone());
        if result != Slot::Made(record.made.len() - 1) {
            bail!("{}: expected what the last operation made, found {result:?}", C::NAME)
        }
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(record));
        Ok((y, shape))
    }

    fn backward<T: Vectors>(
        &self,
        x: &Tensor,
        all: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self.record.lock().unwrap_or_else(PoisonError::into_inner).take();
        let record = kept.and_then(|it| it.downcast::<Record<T>>().ok());
        let Some(record) = record else { bail!("{}: a second way back", C::NAME) };
        let asked = |slot| slot != Slot::INPUT || x.track_op();
        let gradients = read(x, |x| {
            read(all, |all| {
                let given = self.given(x, all);
                read(y, |y| read(dy, |dy| Ok(record.back(&given, &asked, y, dy))))
            })
        })?;
        let mut gradients = gradients.into_iter();
        let dx = gradients.next().flatten().map(|dx| tensor(dx, x.shape())).transpose()?;
        let mut d_all = Vec::with_capacity(all.elem_count());
        for (gradient, shape) in gradients.zip(&self.shapes) {
            match gradient {
                Some(gradient) => d_all.extend_from_slice(&gradient),
                None => d_all.resize(d_all.len() + shape.elem_count(), T::zero()),
            }
        }
        Ok((dx, Some(tensor(d_all, all.shape())?)))
    }
}

impl<C: Chain> CustomOp2 for Chained<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        all: &CpuStorage,
        all_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = x_layout.shape();
        Ok(match x {
            CpuStorage::F32(_) => {
                let (y, shape) =
                    self.forward::<f32>((slice(x, x_layout)?, shape), slice(all, all_layout)?)?;
                (CpuStorage::F32(y), shape)
            }
            CpuStorage::F64(_) => {
                let (y, shape) =
                    self.forward::<f64>((slice(x, x_layout)?, shape), slice(all, all_layout)?)?;
                (CpuStorage::F64(y), shape)
            }
            _ => bail!("{}: expected f32 or f64", C::NAME),
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        all: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        match x.dtype() {
            DType::F64 => self.backward::<f64>(x, all, y, &dy),
            _ => self.backward::<f32>(x, all, y, &dy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, normal};

    /// `a * b`, element by element.
    struct Product;

    impl Fused<2> for Product {
        const NAME: &'static str = "product";
        type Plan = ();

        fn plan(&self, [a, b]: [&[usize]; 2]) -> Result<((), Shape)> {
            if a == b { Ok(((), a.into())) } else { bail!("{a:?} times {b:?}") }
        }

        fn forward<T: Vectors>(&self, (): &(), [a, b]: [&[T]; 2]) -> Vec<T> {
            a.iter().zip(b).map(|(a, b)| *a * *b).collect()
        }

        fn backward<T: Vectors>(
            &self,
            (): &(),
            [a, b]: [&[T]; 2],
            _y: &[T],
            dy: &[T],
        ) -> [Vec<T>; 2] {
            let times = |it: &[T]| it.iter().zip(dy).map(|(it, dy)| *it * *dy).collect();
            [times(b), times(a)]
        }
    }

    /// `(x a)^2 b x`: values used once, twice, three times, and a parameter that nothing uses.
    struct Powers;

    impl Chain for Powers {
        const NAME: &'static str = "powers";

        fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
            let scaled = tape.apply(Product, [Slot::INPUT, Slot::parameter(0)])?;
            let square = tape.apply(Product, [scaled, scaled])?;
            let cube = tape.apply(Product, [square, Slot::INPUT])?;
            tape.apply(Product, [cube, Slot::parameter(1)])
        }
    }

    #[test]
    fn gradients_equal_finite_differences_however_often_a_value_is_used() {
        let inputs = [1, 2, 3, 4].map(|seed| normal(&[2, 3], seed));
        assert_gradients(&inputs, |t| chained(Powers, &t[0], &[&t[1], &t[2], &t[3]]));
    }

    #[test]
    fn an_input_that_nobody_trains_gets_no_gradient() {
        let x = normal(&[2, 3], 5);
        let vars =
            [6, 7].map(|seed| candle_core::Var::from_tensor(&normal(&[2, 3], seed)).unwrap());
        let y = chained(Powers, &x, &[&vars[0], &vars[1]]).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert!(grads.get(&x).is_none() && grads.get(&vars[1]).is_some());
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let (x, a) = (normal(&[2, 3], 8), normal(&[3, 2], 9));
        let error = chained(Powers, &x, &[&a, &x]).unwrap_err().to_string();
        assert!(error.contains("[2, 3] times [3, 2]"), "{error}");
    }
}
