//! An exponential moving average of the weights: what is evaluated and shipped.

use std::collections::BTreeMap;

use candle_core::{Result, Var, bail};

use crate::nn::storage::{tensor, to_vec};
use crate::registry::weights::Tensors;

/// Name of the update count in a saved state.
const UPDATES: &str = "updates";

/// Averaged `f32` weights. The decay is `min(0.9999, (1 + n) / (10 + n))` at update `n`: short runs forget
/// their beginning too.
#[derive(Debug)]
pub(crate) struct Ema {
    updates: u32,
    weights: BTreeMap<String, Average>,
}

#[derive(Debug)]
struct Average {
    var: Var,
    values: Vec<f32>,
}

impl Ema {
    /// Starts from the weights as they are.
    ///
    /// # Errors
    /// If a weight is not `f32`.
    pub(crate) fn new(vars: &BTreeMap<String, Var>) -> Result<Self> {
        let average = |(name, var): (&String, &Var)| {
            Ok((name.clone(), Average { var: var.clone(), values: to_vec(var)? }))
        };
        Ok(Self { updates: 0, weights: vars.iter().map(average).collect::<Result<_>>()? })
    }

    /// Moves the averages towards the weights; call after every optimizer step.
    ///
    /// # Errors
    /// If a weight cannot be read.
    pub(crate) fn update(&mut self) -> Result<()> {
        self.updates += 1;
        let n = f64::from(self.updates);
        let decay = ((1.0 + n) / (10.0 + n)).min(0.9999) as f32;
        for average in self.weights.values_mut() {
            let current: Vec<f32> = to_vec(&average.var)?;
            for (value, current) in average.values.iter_mut().zip(current) {
                *value = decay * *value + (1.0 - decay) * current;
            }
        }
        Ok(())
    }

    /// The averaged weights by name, in main memory.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn weights(&self) -> Result<Tensors> {
        let weight = |(name, average): (&String, &Average)| {
            Ok((name.clone(), tensor(average.values.clone(), average.var.shape())?))
        };
        self.weights.iter().map(weight).collect()
    }

    /// Averages as `average.NAME`, and the update count.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn state(&self) -> Result<Tensors> {
        let named = self.weights()?.into_iter();
        let mut state: Tensors = named.map(|(k, v)| (format!("average.{k}"), v)).collect();
        state.insert(UPDATES.to_owned(), tensor(vec![self.updates], 1)?);
        Ok(state)
    }

    /// Takes over a saved state.
    ///
    /// # Errors
    /// If a name is missing or unknown, or a shape is another one: then nothing is taken over.
    pub(crate) fn load_state(&mut self, state: &Tensors) -> Result<()> {
        let expected = self.weights.len() + 1;
        if state.len() != expected {
            bail!("averaged weights: expected {expected} tensors, found {}", state.len())
        }
        let mut loaded = Vec::with_capacity(self.weights.len());
        for (name, average) in &self.weights {
            match state.get(&format!("average.{name}")) {
                Some(found) if found.dims() == average.var.dims() => loaded.push(to_vec(found)?),
                Some(found) => bail!(
                    "averaged weight {name}: expected {:?}, found {:?}",
                    average.var.dims(),
                    found.dims()
                ),
                None => bail!("averaged weights: {name} is missing"),
            }
        }
        let Some(updates) = state.get(UPDATES) else {
            bail!("averaged weights: {UPDATES} is missing")
        };
        self.updates = updates.to_vec1::<u32>()?.first().copied().unwrap_or(0);
        for (average, values) in self.weights.values_mut().zip(loaded) {
            average.values = values;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn vars(value: f32) -> BTreeMap<String, Var> {
        let tensor = Tensor::new(&[value], &Device::Cpu).unwrap();
        BTreeMap::from([("w".to_owned(), Var::from_tensor(&tensor).unwrap())])
    }

    fn average(ema: &Ema) -> f32 {
        to_vec::<f32>(&ema.weights().unwrap()["w"]).unwrap()[0]
    }

    #[test]
    fn the_average_follows_fast_at_first() {
        let vars = vars(0.0);
        let mut ema = Ema::new(&vars).unwrap();
        vars["w"].set(&Tensor::new(&[11f32], &Device::Cpu).unwrap()).unwrap();
        ema.update().unwrap();
        assert!((average(&ema) - 9.0).abs() < 1e-5);
    }

    #[test]
    fn a_restored_average_goes_on_as_if_never_stopped() {
        let vars = vars(1.0);
        let mut first = Ema::new(&vars).unwrap();
        vars["w"].set(&Tensor::new(&[5f32], &Device::Cpu).unwrap()).unwrap();
        first.update().unwrap();
        let mut second = Ema::new(&vars).unwrap();
        second.load_state(&first.state().unwrap()).unwrap();
        first.update().unwrap();
        second.update().unwrap();
        assert_eq!(average(&first), average(&second));
    }
}
