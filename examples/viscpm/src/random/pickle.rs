//! The pickle of a dict of tensors, as `torch.save` writes a `state_dict`.

use crate::args::RandomDtype;

use super::Shapes;

const PROTOCOL_2: &[u8] = b"\x80\x02";
const EMPTY_DICT: u8 = b'}';
const EMPTY_TUPLE: u8 = b')';
const MARK: u8 = b'(';
const TUPLE: u8 = b't';
const GLOBAL: u8 = b'c';
const REDUCE: u8 = b'R';
const BINUNICODE: u8 = b'X';
const LONG1: u8 = 0x8a;
const NEWFALSE: u8 = 0x89;
const BINPERSID: u8 = b'Q';
const SETITEMS: u8 = b'u';
const STOP: u8 = b'.';

/// Pickles a dict whose tensor number `i` has the storage of that key.
pub fn state_dict(shapes: &Shapes, dtype: RandomDtype) -> Vec<u8> {
    let mut pickle = PROTOCOL_2.to_vec();
    pickle.extend([EMPTY_DICT, MARK]);
    for (key, (name, shape)) in shapes.iter().enumerate() {
        text(&mut pickle, name);
        tensor(&mut pickle, key, shape, dtype);
    }
    pickle.extend([SETITEMS, STOP]);
    pickle
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`
fn tensor(pickle: &mut Vec<u8>, key: usize, shape: &[usize], dtype: RandomDtype) {
    global(pickle, "torch._utils", "_rebuild_tensor_v2");
    pickle.push(MARK);
    storage(pickle, key, shape.iter().product(), dtype);
    number(pickle, 0);
    numbers(pickle, shape);
    let strides: Vec<_> = (1..=shape.len())
        .map(|axis| shape[axis..].iter().product())
        .collect();
    numbers(pickle, &strides);
    pickle.push(NEWFALSE);
    global(pickle, "collections", "OrderedDict");
    pickle.extend([EMPTY_TUPLE, REDUCE]);
    pickle.extend([TUPLE, REDUCE]);
}

/// `("storage", class, key, location, number of elements)`, as a reference.
fn storage(pickle: &mut Vec<u8>, key: usize, elements: usize, dtype: RandomDtype) {
    pickle.push(MARK);
    text(pickle, "storage");
    let class = match dtype {
        RandomDtype::F32 => "FloatStorage",
        RandomDtype::F16 => "HalfStorage",
    };
    global(pickle, "torch", class);
    text(pickle, &key.to_string());
    text(pickle, "cpu");
    number(pickle, elements);
    pickle.extend([TUPLE, BINPERSID]);
}

fn global(pickle: &mut Vec<u8>, module: &str, name: &str) {
    pickle.push(GLOBAL);
    pickle.extend(format!("{module}\n{name}\n").bytes());
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(BINUNICODE);
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.bytes());
}

fn numbers(pickle: &mut Vec<u8>, numbers: &[usize]) {
    pickle.push(MARK);
    numbers.iter().for_each(|&n| number(pickle, n));
    pickle.push(TUPLE);
}

/// A number of 8 bytes; none here is so large that it would count as negative.
fn number(pickle: &mut Vec<u8>, number: usize) {
    let bytes = (number as u64).to_le_bytes();
    pickle.extend([LONG1, bytes.len() as u8]);
    pickle.extend(bytes);
}
