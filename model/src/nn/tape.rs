//! A chain of operations as one operation of the tensor library.
//!
//! On its way back the library adds every gradient to a tensor of zeros, on one thread, and keeps all of them until the last
//! one is there. On a tape a gradient that one operation alone asks for is handed on as it is, sums run on all threads, and
//! values and gradients go as soon as nothing needs them any more.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{
    CpuStorage, CustomOp2, DType, Device, Layout, Result, Shape, Tensor, TensorId, bail,
};
use rayon::prelude::*;

use super::fused::Fused;
use super::gradients::lay_down;
use super::lanes::add_onto;
use super::storage::{in_main_memory, read, read_all, slice, tensor};
use super::vectors::Vectors;
use crate::threads::on_the_pool;

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
    let ids = parameters.iter().map(|it| it.id()).collect();
    let here = parameters.iter().map(|it| in_main_memory(it)).collect::<Result<Vec<_>>>()?;
    let gradients = Gradients::default();
    let mut line = Tensor::zeros(1, x.dtype(), &Device::Cpu)?;
    for (at, parameter) in here.iter().enumerate().filter(|(_, it)| it.track_op()) {
        let hook = Hook { at, gradients: Arc::clone(&gradients) };
        line = line.apply_op2(parameter, hook)?;
    }
    let (input, record) = (in_main_memory(x)?, Mutex::new(None));
    let is_learned = line.track_op() || input.track_op();
    let operation = Chained { chain, ids, parameters: here, is_learned, gradients, record };
    input.apply_op2(&line, operation)?.to_device(x.device())
}

/// Every tensor once, in the order in which it came first.
pub(crate) fn distinct(tensors: Vec<&Tensor>) -> Vec<&Tensor> {
    let mut met = HashSet::new();
    tensors.into_iter().filter(|it| met.insert(it.id())).collect()
}

/// Gradients in the parameters, from the way back on until each is fetched.
type Gradients = Arc<Mutex<Vec<Option<Tensor>>>>;

/// Ties a parameter to a chain. The library's operations have three inputs at most; along a line of these every parameter hears of its
/// gradient without being copied.
struct Hook {
    at: usize,
    gradients: Gradients,
}

impl CustomOp2 for Hook {
    fn name(&self) -> &'static str {
        "parameter of a chain"
    }

    fn cpu_fwd(
        &self,
        line: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok((line.clone(), layout.shape().clone()))
    }

    fn bwd(
        &self,
        _line: &Tensor,
        parameter: &Tensor,
        hooked: &Tensor,
        pull: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut gradients = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        let gradient = match gradients.get_mut(self.at).and_then(Option::take) {
            Some(gradient) => gradient,
            None => parameter.zeros_like()?,
        };
        Ok((Some(pull.clone()), lay_down(hooked, parameter, gradient)))
    }
}

/// A chain while it runs.
pub(crate) struct Tape<'a, T> {
    given: Vec<(&'a [T], &'a Shape)>,
    /// Of the parameters.
    ids: &'a [TensorId],
    record: Record<T>,
}

/// What the way back needs.
struct Record<T> {
    /// Whether there will be one.
    is_wanted: bool,
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
        Ok(self.push(values, shape, Applied { operation, plan, inputs }))
    }

    /// Adds the result of an operation that has its own way back.
    pub(crate) fn push(&mut self, values: Vec<T>, shape: Shape, step: impl Step<T>) -> Slot {
        self.record.made.push((values, shape));
        if self.record.is_wanted {
            self.record.steps.push(Box::new(step));
        }
        Slot::Made(self.record.made.len() - 1)
    }

    /// Whether there will be a way back.
    pub(crate) fn is_recorded(&self) -> bool {
        self.record.is_wanted
    }

    /// How many values were made so far.
    pub(crate) fn n_made(&self) -> usize {
        self.record.made.len()
    }

    /// Says that of what was made after the first `n_made` values the chain itself needs the last alone.
    pub(crate) fn keep_last(&mut self, n_made: usize) {
        if self.record.is_wanted {
            return;
        }
        if let Some((_, [others @ .., _last])) = self.record.made.split_at_mut_checked(n_made) {
            others.iter_mut().for_each(|(values, _)| *values = Vec::new());
        }
    }

    /// Where a parameter lies.
    ///
    /// # Errors
    /// If the chain was not given it.
    pub(crate) fn parameter(&self, tensor: &Tensor) -> Result<Slot> {
        match self.ids.iter().position(|id| *id == tensor.id()) {
            Some(at) => Ok(Slot::parameter(at)),
            None => bail!("a tensor {:?} is not among the parameters", tensor.dims()),
        }
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

/// What an operation on its way back is told.
pub(crate) struct Back<'b, T> {
    values: &'b dyn Fn(Slot) -> &'b [T],
    asked: &'b dyn Fn(Slot) -> bool,
    /// Its result.
    pub(crate) y: &'b [T],
    /// The gradient in it.
    pub(crate) dy: &'b [T],
}

impl<'b, T> Back<'b, T> {
    /// A value, row-major.
    pub(crate) fn values(&self, slot: Slot) -> &'b [T] {
        (self.values)(slot)
    }

    /// Whether anybody asks for the gradient in a value.
    pub(crate) fn asks(&self, slot: Slot) -> bool {
        (self.asked)(slot)
    }
}

/// An operation on its way back.
pub(crate) trait Step<T>: Send + Sync + 'static {
    /// Gradients in its inputs, as far as they are asked for; those of one input are summed.
    fn back(self: Box<Self>, of: &Back<'_, T>) -> Vec<(Slot, Vec<T>)>;
}

struct Applied<F: Fused<N>, const N: usize> {
    operation: F,
    plan: F::Plan,
    inputs: [Slot; N],
}

impl<T: Vectors, F: Fused<N> + 'static, const N: usize> Step<T> for Applied<F, N> {
    fn back(self: Box<Self>, of: &Back<'_, T>) -> Vec<(Slot, Vec<T>)> {
        let asked = self.inputs.map(|slot| of.asks(slot));
        let values = self.inputs.map(|slot| of.values(slot));
        let gradients = self.operation.backward_of(asked, &self.plan, values, of.y, of.dy);
        let gradients = self.inputs.into_iter().zip(gradients).zip(asked);
        gradients.filter(|(_, asked)| *asked).map(|(gradient, _)| gradient).collect()
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
            Some(sum) => add_all(sum, &[gradient]),
        }
    }
}

/// The sum of vectors of one length; none of none.
pub(super) fn sum<T: Vectors>(vectors: Vec<Vec<T>>) -> Vec<T> {
    let mut vectors = vectors.into_iter();
    let mut sum = vectors.next().unwrap_or_default();
    add_all(&mut sum, vectors.as_slice());
    sum
}

/// Adds values of as many places to `sum`, on all threads.
pub(crate) fn add_all<T: Vectors>(sum: &mut [T], others: &[impl AsRef<[T]> + Sync]) {
    sum.par_chunks_mut(CHUNK).enumerate().for_each(|(at, sum)| {
        others.iter().for_each(|it| add_onto(sum, &it.as_ref()[at * CHUNK..]));
    });
}

impl<T: Vectors> Record<T> {
    /// Gradients in what the chain was given, from its result `y` and the gradient `dy` in it.
    fn back(
        mut self,
        given: &[&[T]],
        asked: &(dyn Fn(Slot) -> bool + Sync),
        y: &[T],
        dy: &[T],
    ) -> Vec<Option<Vec<T>>> {
        let count = self.steps.len();
        let mut sums = Sums { given: vec![None; given.len()], made: vec![None; count] };
        while let Some(step) = self.steps.pop() {
            let at = self.steps.len();
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
            for (slot, gradient) in step.back(&Back { values: &values, asked, y, dy }) {
                sums.add(slot, gradient);
            }
            self.made[at].0 = Vec::new();
        }
        sums.given
    }
}

struct Chained<C> {
    chain: C,
    /// Of the parameters as the caller knows them.
    ids: Vec<TensorId>,
    parameters: Vec<Tensor>,
    /// Whether anything that it was given has a gradient.
    is_learned: bool,
    gradients: Gradients,
    /// The `Record` of the last run.
    record: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<C: Chain> Chained<C> {
    fn forward<T: Vectors>(&self, x: &[T], shape: &Shape) -> Result<(Vec<T>, Shape)> {
        read_all(&self.parameters, |parameters| {
            let shapes = self.parameters.iter().map(Tensor::shape);
            let given = parameters.iter().copied().zip(shapes);
            let is_wanted = self.is_learned;
            let record = Record { is_wanted, made: Vec::new(), steps: Vec::new() };
            let given = std::iter::once((x, shape)).chain(given).collect();
            let mut tape = Tape { given, ids: &self.ids, record };
            let result = on_the_pool(|| self.chain.run(&mut tape))?;
            let mut record = tape.record;
            let Some((y, shape)) = record.made.last_mut() else {
                bail!("{}: no operation", C::NAME)
            };
            let (y, shape) = (std::mem::take(y), shape.clone());
            if result != Slot::Made(record.made.len() - 1) {
                bail!("{}: expected what the last operation made, found {result:?}", C::NAME)
            }
            *self.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(record));
            Ok((y, shape))
        })
    }

    /// The gradient in `x`, if it is asked for; those in the parameters are laid out for their hooks.
    fn backward<T: Vectors>(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.record.lock().unwrap_or_else(PoisonError::into_inner).take();
        let record = kept.and_then(|it| it.downcast::<Record<T>>().ok());
        let Some(record) = record else { bail!("{}: a second way back", C::NAME) };
        let given: Vec<&Tensor> = std::iter::once(x).chain(&self.parameters).collect();
        let asked = |slot| match slot {
            Slot::Given(at) => given[at].track_op(),
            Slot::Made(_) => true,
        };
        let gradients = read(x, |x| {
            read_all(&self.parameters, |parameters| {
                let values: Vec<&[T]> =
                    std::iter::once(x).chain(parameters.iter().copied()).collect();
                read(y, |y| read(dy, |dy| Ok(on_the_pool(|| record.back(&values, &asked, y, dy)))))
            })
        })?;
        let shaped = gradients.into_iter().zip(&given);
        let shaped = shaped.map(|(it, of)| it.map(|it| tensor(it, of.shape())).transpose());
        let mut shaped = shaped.collect::<Result<Vec<_>>>()?.into_iter();
        let dx = shaped.next().flatten();
        *self.gradients.lock().unwrap_or_else(PoisonError::into_inner) = shaped.collect();
        Ok(dx)
    }
}

impl<C: Chain> CustomOp2 for Chained<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(match x {
            CpuStorage::F32(_) => {
                let (y, shape) = self.forward::<f32>(slice(x, layout)?, layout.shape())?;
                (CpuStorage::F32(y), shape)
            }
            CpuStorage::F64(_) => {
                let (y, shape) = self.forward::<f64>(slice(x, layout)?, layout.shape())?;
                (CpuStorage::F64(y), shape)
            }
            _ => bail!("{}: expected f32 or f64", C::NAME),
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        line: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dx = match x.dtype() {
            DType::F64 => self.backward::<f64>(x, y, &dy)?,
            _ => self.backward::<f32>(x, y, &dy)?,
        };
        Ok((dx, Some(line.zeros_like()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradients::gradients;
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

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
    fn gradients_that_are_laid_down_are_those_of_the_library() {
        let vars =
            [1, 2].map(|seed| candle_core::Var::from_tensor(&normal(&[2, 3], seed)).unwrap());
        let other = candle_core::Var::from_tensor(&normal(&[2, 3], 3)).unwrap();
        let [x, a] = &vars;
        // Two chains and the library use one variable; a chain is given another directly and behind an operation.
        let shifted = (a.as_tensor() + 1.0).unwrap();
        let once = chained(Powers, x, &[a, &shifted, x]).unwrap();
        let twice = chained(Powers, &once, &[a, &other]).unwrap();
        let loss = (twice * a.as_tensor()).unwrap().sum_all().unwrap();
        let powers = |x: &Tensor, a: &Tensor, b: &Tensor| {
            let square = (x * a).unwrap().sqr().unwrap();
            ((square * x).unwrap() * b).unwrap()
        };
        let same = powers(&powers(x, a, &shifted), a, &other);
        let same = (same * a.as_tensor()).unwrap().sum_all().unwrap();
        let want = same.backward().unwrap();
        let found = gradients(&loss).unwrap();
        for var in [x, a, &other] {
            assert_near(found.get(var).unwrap(), want.get(var).unwrap(), 1e-12, "laid down");
        }
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
