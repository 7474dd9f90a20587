//! Selective state-space layers on a tape: the same tokens along several paths, each with its convolution, projections and scan, summed
//! (Alg. 2, lines 11-17; Eq. 13).

use candle_core::{Result, bail};
use rayon::prelude::*;

use super::Path;
use super::causal_conv::{self, Conv};
use super::dense::{project, project_back, weight_of};
use super::selective_scan::{self, Gradients, Kept, Scan, Size};
use super::tape::{Back, Slot, Step, Tape, sum};
use super::vectors::Vectors;

/// What a layer has learned; `E` channels, state `S`, rank `R`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Learned<V> {
    /// `[E, 1, k]`.
    pub(crate) conv_weight: V,
    /// `[E]`.
    pub(crate) conv_bias: V,
    /// To rows `[dt, B, C]`: `[R + 2S, E]`.
    pub(crate) project: V,
    /// `[E, R]`.
    pub(crate) dt_weight: V,
    /// `[E]`.
    pub(crate) dt_bias: V,
    /// `log(-A)`, `[E, S]`.
    pub(crate) decay_log: V,
    /// `D`, `[E]`.
    pub(crate) skip: V,
}

impl<V> Learned<V> {
    /// The same parts of something else.
    fn map<'a, W>(&'a self, of: impl Fn(&'a V) -> W) -> Learned<W> {
        Learned {
            conv_weight: of(&self.conv_weight),
            conv_bias: of(&self.conv_bias),
            project: of(&self.project),
            dt_weight: of(&self.dt_weight),
            dt_bias: of(&self.dt_bias),
            decay_log: of(&self.decay_log),
            skip: of(&self.skip),
        }
    }

    /// As [`Self::map`], where a part may be missing.
    ///
    /// # Errors
    /// The first one of `of`.
    pub(crate) fn try_map<'a, W>(&'a self, of: impl Fn(&'a V) -> Result<W>) -> Result<Learned<W>> {
        Ok(Learned {
            conv_weight: of(&self.conv_weight)?,
            conv_bias: of(&self.conv_bias)?,
            project: of(&self.project)?,
            dt_weight: of(&self.dt_weight)?,
            dt_bias: of(&self.dt_bias)?,
            decay_log: of(&self.decay_log)?,
            skip: of(&self.skip)?,
        })
    }

    /// All of them, in one order.
    pub(crate) fn into_parts(self) -> [V; 7] {
        let Self { conv_weight, conv_bias, project, dt_weight, dt_bias, decay_log, skip } = self;
        [conv_weight, conv_bias, project, dt_weight, dt_bias, decay_log, skip]
    }

    /// As [`Self::into_parts`], to be looked at.
    pub(crate) fn parts(&self) -> [&V; 7] {
        let Self { conv_weight, conv_bias, project, dt_weight, dt_bias, decay_log, skip } = self;
        [conv_weight, conv_bias, project, dt_weight, dt_bias, decay_log, skip]
    }
}

/// A layer and the path that it walks.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) learned: Learned<Slot>,
    pub(crate) path: Path,
}

/// The sum of all walks over `x` `[b, L, E]`, of the same shape.
///
/// # Errors
/// If shapes disagree, a path is one of other tokens, or nothing walks.
pub(crate) fn selective_ssm<T: Vectors>(
    tape: &mut Tape<'_, T>,
    x: Slot,
    walks: Vec<Walk>,
) -> Result<Slot> {
    let shape = tape.shape(x).clone();
    let size = size(tape, shape.dims(), &walks)?;
    let layers = layers(&walks, size, tape.values(x), &|slot| tape.values(slot));
    let convs: Vec<Conv<'_, T>> = layers.iter().map(|layer| layer.conv()).collect();
    let keeps = tape.is_recorded();
    let layers = layers.into_par_iter().zip(causal_conv::forward(&convs));
    let forward = layers.map(|(layer, u)| layer.forward(u, keeps));
    let (ys, passages): (Vec<_>, Vec<_>) = forward.collect::<Vec<_>>().into_iter().unzip();
    Ok(tape.push(sum(ys), shape, Walks { x, size, walks, passages }))
}

/// The size that all walks share.
fn size<T: Vectors>(tape: &Tape<'_, T>, x: &[usize], walks: &[Walk]) -> Result<Size> {
    let mut sizes = Vec::with_capacity(walks.len());
    for Walk { learned, path } in walks {
        let [conv_weight, conv_bias, project, dt_weight, dt_bias, decay_log, skip] =
            learned.parts().map(|slot| tape.shape(*slot).dims());
        let size = Size::of(x, [decay_log, skip, dt_bias, dt_weight])?;
        let length = causal_conv::length(x, conv_weight, conv_bias)?;
        if *project != [size.row(), size.channels] || !path.fits(length) {
            bail!("walk over {x:?}: found a projection {project:?} and a path {path:?}")
        }
        sizes.push(size);
    }
    match sizes.as_slice() {
        [first, others @ ..] if others.iter().all(|it| it == first) => Ok(*first),
        _ => bail!("expected walks of one size, found {sizes:?}"),
    }
}

/// A walk and the values that it meets.
#[derive(Clone, Copy)]
struct Layer<'a, T> {
    size: Size,
    /// How many layers there are.
    at_once: usize,
    path: &'a Path,
    /// `[b, L, E]`.
    x: &'a [T],
    learned: Learned<&'a [T]>,
}

fn layers<'a, T>(
    walks: &'a [Walk],
    size: Size,
    x: &'a [T],
    values: &dyn Fn(Slot) -> &'a [T],
) -> Vec<Layer<'a, T>> {
    let layer = |Walk { learned, path }: &'a Walk| Layer {
        size,
        at_once: walks.len(),
        path,
        x,
        learned: learned.map(|slot| values(*slot)),
    };
    walks.iter().map(layer).collect()
}

/// What a layer computes on its way.
struct Passage<T> {
    /// After the convolution, `[b, L, E]`.
    u: Vec<T>,
    /// `[dt, B, C]`, `[b, L, R + 2S]`.
    rows: Vec<T>,
    /// `A`, `[E, S]`.
    decay: Vec<T>,
}

impl<'a, T: Vectors> Layer<'a, T> {
    /// From its convolution `u` its `y` `[b, L, E]`, and what the way back needs.
    fn forward(self, u: Vec<T>, keeps: bool) -> (Vec<T>, (Passage<T>, Kept<T>)) {
        let rows = project(&u, self.learned.project, self.size.row());
        let decay = self.learned.decay_log.iter().map(|log| -log.exp()).collect();
        let passage = Passage { u, rows, decay };
        let (y, kept) = selective_scan::forward(self.scan(&passage), keeps);
        (y, (passage, kept))
    }

    /// From the gradient in its `y` those in its convolution `u` and in what it has learned behind it.
    fn back(self, (passage, kept): (Passage<T>, Kept<T>), dy: &[T]) -> (Vec<T>, Scanned<T>) {
        let Gradients { x: mut du, rows, mut decay, skip, dt_bias, dt_weight } =
            selective_scan::backward(self.scan(&passage), &kept, dy);
        project_back(&rows, self.learned.project, self.size.row(), &mut du);
        decay.iter_mut().zip(&passage.decay).for_each(|(d, a)| *d *= *a);
        let project = weight_of(&passage.u, &rows, self.size.row());
        (du, [project, dt_weight, dt_bias, decay, skip])
    }

    fn conv(self) -> Conv<'a, T> {
        let Learned { conv_weight: weight, conv_bias: bias, .. } = self.learned;
        Conv { length: self.size.length, path: self.path, x: self.x, weight, bias }
    }

    fn scan<'p>(self, passage: &'p Passage<T>) -> Scan<'p, T>
    where
        'a: 'p,
    {
        let Passage { u: x, rows, decay } = passage;
        let Learned { dt_weight, dt_bias, skip, .. } = self.learned;
        let Self { size, at_once, path, .. } = self;
        Scan { size, at_once, path, x, rows, decay, skip, dt_bias, dt_weight }
    }
}

/// Gradients in what a layer has learned behind its convolution, in the order of [`Learned::into_parts`].
type Scanned<T> = [Vec<T>; 5];

struct Walks<T> {
    x: Slot,
    size: Size,
    walks: Vec<Walk>,
    passages: Vec<(Passage<T>, Kept<T>)>,
}

impl<T: Vectors> Step<T> for Walks<T> {
    fn back(self: Box<Self>, of: &Back<'_, T>) -> Vec<(Slot, Vec<T>)> {
        let Self { x, size, walks, passages } = *self;
        let layers = layers(&walks, size, of.values(x), &|slot| of.values(slot));
        let convs: Vec<Conv<'_, T>> = layers.iter().map(|layer| layer.conv()).collect();
        let layers = layers.into_par_iter().zip(passages);
        let found: Vec<_> = layers.map(|(layer, passage)| layer.back(passage, of.dy)).collect();
        let (dus, scanned): (Vec<Vec<T>>, Vec<Scanned<T>>) = found.into_iter().unzip();
        let dus: Vec<&[T]> = dus.iter().map(Vec::as_slice).collect();
        let (dx, convolved) = causal_conv::backward(&convs, &dus);
        let learned = convolved.into_iter().zip(scanned);
        let learned = learned.map(|(before, behind)| before.into_iter().chain(behind));
        let found = walks.iter().zip(learned);
        let found = found.flat_map(|(walk, it)| walk.learned.into_parts().into_iter().zip(it));
        let mut gradients: Vec<_> = found.filter(|(slot, _)| of.asks(*slot)).collect();
        if of.asks(x) {
            gradients.push((x, dx));
        }
        gradients
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor, Var};

    use super::super::ScanDirection;
    use super::super::causal_conv::causal_conv_silu;
    use super::super::linear;
    use super::super::selective_scan::{ScanParams, selective_scan};
    use super::super::tape::{Chain, chained};
    use super::*;
    use crate::testing::{assert_near, normal};

    /// Every other token, then those between.
    fn order(length: usize) -> Vec<u32> {
        let token = |it| it as u32;
        (0..length).step_by(2).chain((1..length).step_by(2)).map(token).collect()
    }

    const WALKS: [(usize, bool, ScanDirection); 4] = [
        (0, false, ScanDirection::Forward),
        (1, false, ScanDirection::Backward),
        (0, true, ScanDirection::Forward),
        (1, true, ScanDirection::Backward),
    ];

    /// Two layers, each along the tokens and through another order.
    struct Four;

    impl Chain for Four {
        const NAME: &'static str = "four walks";

        fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
            let order = order(tape.shape(Slot::INPUT).dims()[1]);
            let walk = |(layer, is_ordered, direction)| {
                let at = |part: usize| Slot::parameter(7 * layer + part);
                let learned = Learned {
                    conv_weight: at(0),
                    conv_bias: at(1),
                    project: at(2),
                    dt_weight: at(3),
                    dt_bias: at(4),
                    decay_log: at(5),
                    skip: at(6),
                };
                let along = Path::along(direction);
                let through = Path::through(order.as_slice().into(), direction);
                Walk { learned, path: if is_ordered { through } else { along } }
            };
            selective_ssm(tape, Slot::INPUT, WALKS.map(walk).into())
        }
    }

    /// The same in tensor operations.
    fn by_definition(x: &Tensor, parameters: &[&Tensor]) -> Result<Tensor> {
        let order = order(x.dim(1)?);
        let mut back = vec![0; order.len()];
        (0..).zip(&order).for_each(|(place, token)| back[*token as usize] = place);
        let [order, back] = [order, back].map(|it: Vec<u32>| Tensor::new(it, &Device::Cpu));
        let (order, back) = (order?, back?);
        let mut sum = x.zeros_like()?;
        for (layer, is_ordered, direction) in WALKS {
            let p = &parameters[7 * layer..];
            let x = if is_ordered { x.index_select(&order, 1)? } else { x.clone() };
            let u = causal_conv_silu(&x, p[0], p[1], direction)?;
            let decay = p[5].exp()?.neg()?;
            let params = ScanParams { decay: &decay, skip: p[6], dt_bias: p[4], dt_weight: p[3] };
            let y = selective_scan(&u, &linear::project(&u, p[2])?, params, direction)?;
            sum = (sum + if is_ordered { y.index_select(&back, 1)? } else { y })?;
        }
        Ok(sum)
    }

    fn inputs(batch: usize, length: usize, channels: usize) -> Vec<Var> {
        let (state, rank) = (5, 3);
        let layer = |seed| {
            [
                normal(&[channels, 1, 4], seed),
                normal(&[channels], seed + 1),
                (normal(&[rank + 2 * state, channels], seed + 2) * 0.3).unwrap(),
                normal(&[channels, rank], seed + 3),
                normal(&[channels], seed + 4),
                normal(&[channels, state], seed + 5),
                normal(&[channels], seed + 6),
            ]
        };
        let x = std::iter::once(normal(&[batch, length, channels], 1));
        let all = x.chain(layer(2)).chain(layer(20));
        all.map(|it| Var::from_tensor(&it).unwrap()).collect()
    }

    #[test]
    fn walks_and_their_gradients_are_those_of_single_operations() {
        for (batch, length, channels) in [(1, 1, 3), (2, 9, 4), (2, 70, 20), (1, 66, 150)] {
            let vars = inputs(batch, length, channels);
            let parameters: Vec<&Tensor> = vars[1..].iter().map(Var::as_tensor).collect();
            let ours = chained(Four, &vars[0], &parameters).unwrap();
            let want = by_definition(&vars[0], &parameters).unwrap();
            assert_near(&ours, &want, 1e-10, "sum of walks");
            let cotangent = normal(want.dims(), 9);
            let grads =
                |y: Tensor| (y * &cotangent).unwrap().sum_all().unwrap().backward().unwrap();
            let (ours, want) = (grads(ours), grads(want));
            for (which, var) in vars.iter().enumerate() {
                let (ours, want) = (ours.get(var).unwrap(), want.get(var).unwrap());
                assert_near(ours, want, 1e-9, &format!("gradient of input {which}"));
            }
        }
    }

    #[test]
    fn large_inputs_stay_finite() {
        let vars = inputs(1, 40, 20);
        let single = |it: &Var| (it.to_dtype(DType::F32).unwrap() * 10.0).unwrap();
        let parameters: Vec<Tensor> = vars[1..]
            .iter()
            .enumerate()
            .map(|(at, it)| if at % 7 == 5 { it.to_dtype(DType::F32).unwrap() } else { single(it) })
            .collect();
        let parameters: Vec<&Tensor> = parameters.iter().collect();
        let y = chained(Four, &single(&vars[0]), &parameters).unwrap();
        let values: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().all(|it| it.is_finite()));
    }

    #[test]
    fn walks_of_other_sizes_are_refused() {
        let vars = inputs(1, 4, 3);
        let mut parameters: Vec<&Tensor> = vars[1..].iter().map(Var::as_tensor).collect();
        let wrong = normal(&[12, 3], 1);
        parameters[2] = &wrong;
        let error = chained(Four, &vars[0], &parameters).unwrap_err().to_string();
        assert!(error.contains("found a projection [12, 3]"), "{error}");
    }
}
