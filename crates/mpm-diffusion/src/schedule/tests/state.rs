//! What is done to tensors.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor, Tolerance},
};

use super::schedule;
use crate::{noise::NoiseSource, schedule::*};

type B = Flex;

fn noise(draw: u64) -> Tensor<B, 4> {
    NoiseSource::new(11).tensor(0..2, draw, [4, 3, 3], &Default::default())
}

#[test]
fn noise_is_drawn_where_it_counts() {
    let schedule = schedule(|_| ());
    let draws_of = |kind: SchedulerKind| {
        let scheduler = kind.scheduler(schedule.config(), Convention::Pinned);
        let plan = scheduler.plan(&schedule, 4).unwrap();
        let mut draws = 0;
        let mut state = DenoisingState::new(plan.initial_sample(noise(0)));
        for step in &plan.steps {
            let output = state.model_input(step) * 0.1;
            let draw = || {
                draws += 1;
                noise(draws)
            };
            state = state.advance(step, output, draw).unwrap();
        }
        draws
    };
    for kind in SchedulerKind::ALL {
        let expected = match kind {
            SchedulerKind::Ddpm | SchedulerKind::EulerAncestral | SchedulerKind::Lcm => 3,
            _ => 0,
        };
        assert_eq!(draws_of(kind), expected, "{kind}");
    }
}

#[test]
fn estimates_are_clipped_where_the_configuration_says_so() {
    let schedule = schedule(|config| {
        config.clip_sample = true;
        config.clip_sample_range = 0.5;
    });
    let plan = Ddim::default().plan(&schedule, 4).unwrap();
    let state = DenoisingState::new(noise(0));
    let state = state
        .advance(&plan.steps[0], noise(1), || noise(2))
        .unwrap();
    let estimates: Vec<f32> = state.denoised().unwrap().to_data().iter().collect();
    assert!(estimates.iter().all(|x| x.abs() <= 0.5) && estimates.contains(&0.5));
}

#[test]
fn half_precision_models_keep_the_sample_in_f32() {
    let schedule = schedule(|_| ());
    let plan = Euler::default().plan(&schedule, 4).unwrap();
    let run = |dtype: DType| {
        let mut state = DenoisingState::new(plan.initial_sample(noise(0).cast(dtype)));
        for step in &plan.steps {
            let output = (state.model_input(step).cast(dtype) * 0.1).tanh();
            state = state.advance(step, output, || noise(1)).unwrap();
        }
        state.into_sample()
    };
    let (full, half) = (run(DType::F32), run(DType::F16));
    assert_eq!(half.dtype(), DType::F32);
    // The model's output and the initial sample, up to 50, are rounded to 11 bits.
    let rounding = Tolerance::absolute(50.0 * 2.0_f32.powi(-11));
    half.into_data()
        .assert_approx_eq::<f32>(&full.into_data(), rounding);

    let sample = noise(0).cast(DType::F16);
    let noisy = schedule.add_noise(sample, noise(1), &[0, 999]).unwrap();
    assert_eq!(noisy.dtype(), DType::F16);
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let schedule = schedule(|_| ());
    let plan = Ddpm::default().plan(&schedule, 4).unwrap();
    let step = &plan.steps[0];
    let small = || noise(0).narrow(0, 0, 1);
    let state = || DenoisingState::new(noise(0));
    let refused = [
        state().advance(step, small(), || noise(1)).unwrap_err(),
        state().advance(step, noise(1), small).unwrap_err(),
        step.noised(noise(0), small()).unwrap_err(),
        schedule.add_noise(noise(0), small(), &[1, 2]).unwrap_err(),
        schedule.velocity(small(), noise(0), &[1]).unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, ScheduleError::Shape { .. }), "{error}");
    }
    let error = schedule.add_noise(noise(0), noise(1), &[1]).unwrap_err();
    let rows = ScheduleError::Rows {
        timesteps: 1,
        batch: 2,
    };
    assert_eq!(error, rows);
    let error = schedule.add_noise(noise(0), noise(1), &[1, 1000]);
    assert!(matches!(error, Err(ScheduleError::Timestep { .. })));
}
