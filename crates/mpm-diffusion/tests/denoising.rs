//! Denoising that begins with a picture in half precision.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::ops::ControlFlow;

use burn::{
    backend::Flex,
    tensor::{DType, Distribution, Tensor},
};
use mpm_diffusion::{
    LatentDiffusion,
    noise::NoiseSource,
    pipeline::{Denoising, Start},
    schedule::{Ddpm, NoiseSchedule, NoiseScheduleConfig, Scheduler},
    unet::UNetConfig,
};

type B = Flex;

fn noise(draw: usize) -> Tensor<B, 4> {
    NoiseSource::new(5).tensor(0..1, draw as u64, [4, 8, 8], &Default::default())
}

fn largest(x: Tensor<B, 4>) -> f32 {
    x.abs().max().into_scalar()
}

#[test]
fn half_precision_pictures_and_masks_are_inpainted() {
    let device = Default::default();
    let diffusion = LatentDiffusion::<B>::new(&UNetConfig::tiny(), 6, &device).unwrap();
    let hidden = Tensor::<B, 3>::random([1, 3, 6], Distribution::Normal(0.0, 1.0), &device);
    let text = diffusion.guide(hidden.clone(), hidden, 1.0, 1).unwrap();
    let schedule = NoiseSchedule::new(NoiseScheduleConfig::stable_diffusion()).unwrap();
    let plan = Ddpm::default().plan(&schedule, 3).unwrap();
    let changes: Vec<f32> = (0..64).map(|place| f32::from(place % 8 < 3)).collect();
    let mask = Tensor::<B, 1>::from_floats(&*changes, &device).reshape([1, 1, 8, 8]);
    let latents = noise(99).cast(DType::F16);
    let inpaint = |mask: Option<Tensor<B, 4>>| {
        let start = Start::Picture {
            latents: latents.clone(),
            strength: 1.0,
            mask,
        };
        let denoising = Denoising {
            unet: &diffusion.unet,
            plan: &plan,
            text: &text,
            start,
        };
        let painted = denoising.run(noise, |_| ControlFlow::Continue(()));
        painted.unwrap().unwrap()
    };
    let painted = inpaint(Some(mask.clone().cast(DType::F16)));
    assert_eq!(painted.dtype(), DType::F32);
    let change = painted - latents.clone().cast(DType::F32);
    assert_eq!(largest(change.clone() * (1.0 - mask.clone())), 0.0);
    assert!(largest(change * mask) > 0.1);
    assert_eq!(inpaint(None).dtype(), DType::F32);
}
