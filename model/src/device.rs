//! Where tensors live and are computed.

use candle_core::Device;
use serde::{Deserialize, Serialize};

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The one that is known to work: the CPU.
    #[default]
    Auto,
    /// All cores.
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
    /// The first Apple GPU.
    Metal,
}

/// Why a device cannot be used, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{device} cannot be used: {problem}")]
pub struct DeviceError {
    device: &'static str,
    problem: String,
}

impl DeviceChoice {
    /// Opens the device.
    pub(crate) fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => open_gpu("CUDA", cfg!(feature = "cuda"), || Device::new_cuda(0)),
            Self::Metal => open_gpu("Metal", cfg!(feature = "metal"), || Device::new_metal(0)),
        }
    }

    /// Checks that the device is there without computing anything.
    ///
    /// # Errors
    /// Says what is missing: support in this build, a driver, or a GPU.
    pub fn check(self) -> Result<(), DeviceError> {
        self.open().map(|_| ())
    }
}

/// Opens a GPU that this build may know. A panic of the driver library, as on machines without a driver, is an error.
fn open_gpu(
    device: &'static str,
    is_built: bool,
    open: impl Fn() -> candle_core::Result<Device> + std::panic::UnwindSafe,
) -> Result<Device, DeviceError> {
    if !is_built {
        let problem = "this program was built without it".to_owned();
        return Err(DeviceError { device, problem });
    }
    match std::panic::catch_unwind(open) {
        Ok(Ok(device)) => Ok(device),
        Ok(Err(error)) => {
            Err(DeviceError { device, problem: crate::registry::weights::one_line(&error) })
        }
        Err(_) => Err(DeviceError { device, problem: "no driver was found".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(DeviceChoice::Auto.check(), Ok(()));
        assert_eq!(DeviceChoice::Cpu.check(), Ok(()));
    }

    #[test]
    fn a_build_without_a_gpu_says_so() {
        let error = open_gpu("CUDA", false, || Ok(Device::Cpu)).unwrap_err();
        assert_eq!(error.to_string(), "CUDA cannot be used: this program was built without it");
    }

    #[test]
    fn a_driver_library_that_panics_is_one_line() {
        let error = open_gpu("CUDA", true, || std::panic::resume_unwind(Box::new(()))).unwrap_err();
        assert_eq!(error.to_string(), "CUDA cannot be used: no driver was found");
    }
}
