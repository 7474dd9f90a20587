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

/// A device that was opened, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    /// `CPU`, `CUDA` or `Metal`: where the network is computed.
    pub name: &'static str,
    /// Why it is not the device that was asked for, one sentence.
    pub note: Option<String>,
}

/// A device and what to say of it.
#[derive(Debug)]
pub(crate) struct OpenDevice {
    pub(crate) device: Device,
    pub(crate) status: DeviceStatus,
}

impl DeviceChoice {
    /// Opens the device. A GPU that this build knows but that cannot be used is replaced by the CPU, and the status
    /// says so.
    ///
    /// # Errors
    /// If this build knows no such GPU.
    pub(crate) fn open(self) -> Result<OpenDevice, DeviceError> {
        let opened = match self {
            Self::Auto | Self::Cpu => return Ok(OpenDevice::cpu(None)),
            Self::Cuda => open_gpu("CUDA", cfg!(feature = "cuda"), || Device::new_cuda(0)),
            Self::Metal => open_gpu("Metal", cfg!(feature = "metal"), || Device::new_metal(0)),
        };
        opened.map(OpenDevice::or_cpu)
    }

    /// The device that would be used, without computing anything.
    ///
    /// # Errors
    /// If this build knows no such GPU.
    pub fn status(self) -> Result<DeviceStatus, DeviceError> {
        self.open().map(|it| it.status)
    }
}

impl OpenDevice {
    fn cpu(note: Option<String>) -> Self {
        Self { device: Device::Cpu, status: DeviceStatus { name: "CPU", note } }
    }

    /// The GPU, or the CPU with the reason why not.
    fn or_cpu(gpu: Result<Self, DeviceError>) -> Self {
        gpu.unwrap_or_else(|error| Self::cpu(Some(format!("{error}; the CPU computes instead."))))
    }
}

/// Opens a GPU that this build may know; the inner error is a GPU that is not there. A panic of the driver library, as on
/// machines without a driver, is such an error, and prints nothing.
fn open_gpu(
    name: &'static str,
    is_built: bool,
    open: impl Fn() -> candle_core::Result<Device> + std::panic::UnwindSafe,
) -> Result<Result<OpenDevice, DeviceError>, DeviceError> {
    let refuse = |problem: String| DeviceError { device: name, problem };
    if !is_built {
        return Err(refuse("this program was built without it".to_owned()));
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(open);
    std::panic::set_hook(hook);
    Ok(match opened {
        Ok(Ok(device)) => Ok(OpenDevice { device, status: DeviceStatus { name, note: None } }),
        Ok(Err(error)) => Err(refuse(crate::registry::weights::one_line(&error))),
        Err(_) => Err(refuse("no driver was found".to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        let cpu = DeviceStatus { name: "CPU", note: None };
        assert_eq!(DeviceChoice::Auto.status(), Ok(cpu.clone()));
        assert_eq!(DeviceChoice::Cpu.status(), Ok(cpu));
    }

    #[test]
    fn a_build_without_a_gpu_says_so() {
        let error = open_gpu("CUDA", false, || Ok(Device::Cpu)).unwrap_err();
        assert_eq!(error.to_string(), "CUDA cannot be used: this program was built without it");
    }

    #[test]
    fn without_a_driver_the_cpu_computes_and_one_line_says_so() {
        let gpu = open_gpu("CUDA", true, || std::panic::resume_unwind(Box::new(())));
        let opened = OpenDevice::or_cpu(gpu.unwrap());
        let note = "CUDA cannot be used: no driver was found; the CPU computes instead.";
        assert!(opened.device.is_cpu());
        assert_eq!(opened.status, DeviceStatus { name: "CPU", note: Some(note.to_owned()) });
    }
}
