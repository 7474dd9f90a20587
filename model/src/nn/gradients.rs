//! Gradients of a loss, where chains hand over those in variables as they are.
//!
//! On its way back the library adds every gradient to a tensor of zeros, on one thread. The variables of a chain get one
//! gradient from it, so those two passes over all weights can be done without: a chain lays them down here instead.

use std::cell::RefCell;
use std::collections::HashSet;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId};

thread_local! {
    /// The ways back that this thread is on, the innermost last: a thread that waits may begin another.
    static ON_THE_WAY: RefCell<Vec<WayBack>> = const { RefCell::new(Vec::new()) };
}

/// A way back from one loss.
struct WayBack {
    /// What leads to the loss.
    nodes: HashSet<TensorId>,
    /// Variables and gradients in them.
    laid_down: Vec<(Tensor, Tensor)>,
}

/// Gradients of the scalar `loss` in all variables that it depends on.
///
/// # Errors
/// Those of the operations on the way.
pub(crate) fn gradients(loss: &Tensor) -> Result<GradStore> {
    let nodes = loss.sorted_nodes().into_iter().map(Tensor::id).collect();
    let way = Way::begin(WayBack { nodes, laid_down: Vec::new() });
    let mut grads = loss.backward()?;
    for (variable, gradient) in way.end() {
        let sum = match grads.remove(&variable) {
            Some(others) => (others + gradient)?,
            None => gradient,
        };
        grads.insert(&variable, sum);
    }
    Ok(grads)
}

/// Lays down the gradient in a variable on behalf of `node`; gives it back if nobody who waits for it is on the way back.
pub(super) fn lay_down(node: &Tensor, variable: &Tensor, gradient: Tensor) -> Option<Tensor> {
    if !variable.is_variable() {
        return Some(gradient);
    }
    ON_THE_WAY.with_borrow_mut(|ways| {
        match ways.iter_mut().rev().find(|way| way.nodes.contains(&node.id())) {
            Some(way) => {
                way.laid_down.push((variable.clone(), gradient));
                None
            }
            None => Some(gradient),
        }
    })
}

/// Ends a way back also where it fails.
struct Way;

impl Way {
    fn begin(way: WayBack) -> Self {
        ON_THE_WAY.with_borrow_mut(|ways| ways.push(way));
        Self
    }

    fn end(self) -> Vec<(Tensor, Tensor)> {
        ON_THE_WAY.with_borrow_mut(|ways| {
            ways.last_mut().map(|way| std::mem::take(&mut way.laid_down)).unwrap_or_default()
        })
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        ON_THE_WAY.with_borrow_mut(Vec::pop);
    }
}
