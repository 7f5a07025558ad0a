//! Writing into a window.

use burn::{backend::Flex, tensor::Tensor};

use super::{random, unwrap, views};
use crate::kernel::assign;

#[test]
fn assign_writes_the_window_only_and_in_place() {
    let zeros = || Tensor::<Flex, 4>::zeros([2, 3, 6, 5], &Default::default());
    let window = [1..2, 0..3, 2..4, 1..5];
    let new = random::<Flex, 4>([1, 3, 2, 4]);
    let expected = zeros().slice_assign(window.clone(), new.clone());
    for new in views(new) {
        let buffer = zeros();
        let place = |x: &Tensor<Flex, 4>| unwrap(x).storage::<f32>().as_ptr();
        let before = place(&buffer);
        let assigned = assign(buffer, window.clone(), new.clone());
        assert_eq!(place(&assigned), before);
        assert_eq!(assigned.into_data(), expected.to_data());
        let held = zeros();
        assert_eq!(
            assign(held.clone(), window.clone(), new).into_data(),
            expected.to_data()
        );
        assert_eq!(held.into_data(), zeros().into_data());
    }
}

#[test]
fn assign_writes_one_place_of_a_view_that_shows_it_several_times() {
    let device = Default::default();
    let broadcast = || Tensor::<Flex, 2>::zeros([1, 4], &device).expand([3, 4]);
    let overlapping = || Tensor::<Flex, 1>::zeros([6], &device).unfold::<2, usize>(0, 4, 1);
    for buffer in [broadcast(), overlapping()] {
        let assigned = assign(buffer, [1..2, 0..4], Tensor::ones([1, 4], &device));
        let expected = [[0.0_f32; 4], [1.0; 4], [0.0; 4]];
        assert_eq!(assigned.into_data(), expected.into());
    }
}
