//! Fused operations behind Burn's own fusion: each is one operation of its stream, between which
//! it fuses what it can. Activations are left to it.

use std::{fmt, marker::PhantomData};

use burn::tensor::{
    DType, Shape,
    ops::{BoolTensor, FloatTensor, IntTensor},
};
use burn_fusion::{
    Fusion, FusionBackend, FusionRuntime, FusionTensor,
    stream::{Operation, OperationStreams},
};
use burn_ir::{CustomOpIr, HandleContainer, OperationIr, OperationOutput, TensorIr};

use super::{GroupNormOptions, MpmBackend};

type Handles<B> =
    HandleContainer<<<B as FusionBackend>::FusionRuntime as FusionRuntime>::FusionHandle>;

/// An operation with one output, which runs on `B` when the stream comes to it.
struct Custom<B, F> {
    description: CustomOpIr,
    run: F,
    backend: PhantomData<B>,
}

impl<B, F> fmt::Debug for Custom<B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.description.fmt(f)
    }
}

impl<B, F> Operation<B::FusionRuntime> for Custom<B, F>
where
    B: FusionBackend,
    F: Fn(&mut Handles<B>, &[TensorIr]) -> FloatTensor<B> + Send + Sync,
{
    fn execute(&self, handles: &mut Handles<B>) {
        let CustomOpIr {
            inputs, outputs, ..
        } = &self.description;
        let output = (self.run)(handles, inputs);
        handles.register_float_tensor::<B>(&outputs[0].id, output);
    }
}

/// Adds an operation to the stream; its output has this shape and type.
fn register<B: FusionBackend>(
    name: &'static str,
    inputs: Vec<FusionTensor<B::FusionRuntime>>,
    shape: Shape,
    dtype: DType,
    run: impl Fn(&mut Handles<B>, &[TensorIr]) -> FloatTensor<B> + Send + Sync + 'static,
) -> FusionTensor<B::FusionRuntime> {
    let client = inputs[0].client.clone();
    let streams = OperationStreams::with_inputs(&inputs);
    let output = TensorIr::uninit(client.create_empty_handle(), shape, dtype);
    let inputs: Vec<TensorIr> = inputs.into_iter().map(FusionTensor::into_ir).collect();
    let description = CustomOpIr::new(name, &inputs, &[output]);
    let operation = Custom::<B, _> {
        description: description.clone(),
        run,
        backend: PhantomData,
    };
    client
        .register(streams, OperationIr::Custom(description), operation)
        .output()
}

impl<B: FusionBackend + MpmBackend> MpmBackend for Fusion<B> {
    fn rms_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let (shape, dtype) = (x.shape.clone(), x.dtype);
        register::<B>(
            "rms_norm",
            vec![x, weight],
            shape,
            dtype,
            move |handles, inputs| {
                let [x, weight] = [0, 1].map(|i| handles.get_float_tensor::<B>(&inputs[i]));
                B::rms_norm_2d(x, weight, epsilon)
            },
        )
    }

    fn layer_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let (shape, dtype) = (x.shape.clone(), x.dtype);
        let inputs = vec![x, weight, bias];
        register::<B>(
            "layer_norm",
            inputs,
            shape,
            dtype,
            move |handles, inputs| {
                let [x, weight, bias] =
                    [0, 1, 2].map(|i| handles.get_float_tensor::<B>(&inputs[i]));
                B::layer_norm_2d(x, weight, bias, epsilon)
            },
        )
    }

    fn group_norm_4d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        let (shape, dtype) = (x.shape.clone(), x.dtype);
        let inputs = vec![x, weight, bias];
        register::<B>(
            "group_norm",
            inputs,
            shape,
            dtype,
            move |handles, inputs| {
                let [x, weight, bias] =
                    [0, 1, 2].map(|i| handles.get_float_tensor::<B>(&inputs[i]));
                B::group_norm_4d(x, weight, bias, options)
            },
        )
    }

    fn linear_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let (shape, dtype) = (Shape::new([x.shape[0], weight.shape[0]]), x.dtype);
        let inputs = [x, weight].into_iter().chain(bias).collect();
        register::<B>("linear", inputs, shape, dtype, |handles, inputs| {
            let [x, weight] = [0, 1].map(|i| handles.get_float_tensor::<B>(&inputs[i]));
            let bias = inputs.get(2);
            let bias = bias.map(|bias| handles.get_float_tensor::<B>(bias));
            B::linear_2d(x, weight, bias)
        })
    }

    fn quantized_linear_2d(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let (shape, dtype) = (Shape::new([x.shape[0], codes.shape[0]]), x.dtype);
        let inputs = [x, codes, scales].into_iter().chain(bias).collect();
        register::<B>(
            "quantized_linear",
            inputs,
            shape,
            dtype,
            |handles, inputs| {
                let x = handles.get_float_tensor::<B>(&inputs[0]);
                let codes = handles.get_int_tensor::<B>(&inputs[1]);
                let scales = handles.get_float_tensor::<B>(&inputs[2]);
                let bias = inputs.get(3);
                let bias = bias.map(|bias| handles.get_float_tensor::<B>(bias));
                B::quantized_linear_2d(x, codes, scales, bias)
            },
        )
    }

    fn quantized_linear_2d_x_backward(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        let (shape, dtype) = (Shape::new([grad.shape[0], d_in]), grad.dtype);
        let inputs = vec![codes, scales, grad];
        register::<B>(
            "quantized_linear_x",
            inputs,
            shape,
            dtype,
            move |handles, inputs| {
                let codes = handles.get_int_tensor::<B>(&inputs[0]);
                let [scales, grad] = [1, 2].map(|i| handles.get_float_tensor::<B>(&inputs[i]));
                B::quantized_linear_2d_x_backward(codes, scales, grad, d_in)
            },
        )
    }

    fn dequantized_2d(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        let shape = Shape::new([codes.shape[0], d_in]);
        let inputs = vec![codes, scales];
        register::<B>(
            "dequantized",
            inputs,
            shape,
            DType::F32,
            move |handles, inputs| {
                let codes = handles.get_int_tensor::<B>(&inputs[0]);
                let scales = handles.get_float_tensor::<B>(&inputs[1]);
                B::dequantized_2d(codes, scales, d_in)
            },
        )
    }

    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        hidden: Option<BoolTensor<Self>>,
        scale: f64,
    ) -> FloatTensor<Self> {
        let (queries, dtype) = (&query.shape, query.dtype);
        let shape = Shape::new([queries[0], queries[1], queries[2], value.shape[3]]);
        let (biased, masked) = (bias.is_some(), hidden.is_some());
        let inputs = [query, key, value].into_iter().chain(bias).chain(hidden);
        register::<B>(
            "attention",
            inputs.collect(),
            shape,
            dtype,
            move |handles, inputs| {
                let [query, key, value] =
                    [0, 1, 2].map(|i| handles.get_float_tensor::<B>(&inputs[i]));
                let bias = biased.then(|| handles.get_float_tensor::<B>(&inputs[3]));
                let hidden =
                    masked.then(|| handles.get_bool_tensor::<B>(&inputs[3 + usize::from(biased)]));
                B::biased_attention(query, key, value, bias, hidden, scale)
            },
        )
    }
}
