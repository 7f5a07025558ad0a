//! An interpreter for the part of Python's pickle language that describes
//! data. It builds containers, numbers and strings, and records which callables
//! a pickle names; it has no way to call one.
//!
//! Objects live in an arena and refer to each other by index, as a pickle's
//! memo does: neither sharing nor deep nesting costs recursion.
//!
//! Source: CPython's `pickletools`, protocols 0 to 5.

use std::collections::HashMap;

use super::budget::Budget;

/// Index of an [`Object`] in its [`Pickle`].
pub(super) type Id = usize;

/// A value that a pickle describes.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// None, a truth value, a float, bytes or an integer beyond 64 bits: no
    /// tensor is described by one.
    Opaque,
    Int(i64),
    Text(String),
    /// Tuple, list or set: nobody here needs to tell them apart.
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A Python class or function, by `module.name`.
    Global(String),
    /// A reference to something outside of the pickle: a storage.
    Persistent(Id),
    /// The result of `callable(*arguments)`, not evaluated.
    Call {
        callable: &'static str,
        arguments: Id,
    },
}

/// Why a pickle could not be interpreted.
#[derive(Debug)]
pub(super) enum PickleError {
    /// It ends early, contradicts itself or asks for far more memory than its length.
    Damaged(String),
    /// It wants to call something that builds no data.
    ForeignCode(String),
}

/// The objects of one pickle, and where it ended.
#[derive(Debug)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    root: Id,
    /// Bytes consumed, the final STOP included.
    pub(super) len: usize,
}

/// Callables whose result is data; all others are refused. The list is that of
/// `torch.load(weights_only=True)`, as far as checkpoints of models need it, and NumPy's
/// scalars: checkpoints of training runs, those of Stable Diffusion among them, hold a score.
const DATA_CALLABLES: &[&str] = &[
    "_codecs.encode",
    "collections.OrderedDict",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "torch.Size",
    "torch._tensor._rebuild_from_type_v2",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch.device",
    "torch.nn.parameter.Parameter",
];

/// The one of them whose result is no call but a dict.
const ORDERED_DICT: &str = "collections.OrderedDict";

/// The longest name of a class or function, in bytes.
pub(super) const LONGEST_NAME: usize = 1024;

impl Pickle {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PickleError> {
        Interpreter {
            bytes,
            position: 0,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            budget: Budget::default(),
        }
        .run()
    }

    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// Objects are numbered from 0 to one below this.
    pub(super) fn object_count(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn get(&self, id: Id) -> &Object {
        &self.objects[id]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn index(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Object::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// A sequence of non-negative integers, such as a shape.
    pub(super) fn indices(&self, id: Id) -> Option<Vec<usize>> {
        self.sequence(id)?
            .iter()
            .map(|&item| self.index(item))
            .collect()
    }
}

struct Interpreter<'a> {
    bytes: &'a [u8],
    position: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at the open MARKs.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    budget: Budget,
}

impl Interpreter<'_> {
    fn run(mut self) -> Result<Pickle, PickleError> {
        loop {
            let at = self.position;
            let opcode = self.byte()?;
            match opcode {
                // PROTO, FRAME: nothing to learn from them.
                0x80 => drop(self.byte()?),
                0x95 => drop(self.take(8)?),
                b'.' => {
                    let root = self.pop()?;
                    return Ok(Pickle {
                        objects: self.objects,
                        root,
                        len: self.position,
                    });
                }
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_mark()?),
                b'2' => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                _ => {
                    if !(self.scalar(opcode)? || self.container(opcode)? || self.object(opcode)?) {
                        return Err(PickleError::Damaged(format!(
                            "unknown pickle instruction 0x{opcode:02x} at byte {at}"
                        )));
                    }
                }
            }
        }
    }

    /// Instructions that push one value.
    fn scalar(&mut self, opcode: u8) -> Result<bool, PickleError> {
        let object = match opcode {
            b'N' | 0x88 | 0x89 => Object::Opaque,
            b'J' => Object::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Object::Int(self.byte()?.into()),
            b'M' => Object::Int(u16::from_le_bytes(self.array()?).into()),
            b'I' => self.decimal()?,
            b'L' => self.decimal()?,
            0x8a => {
                let length = self.byte()?.into();
                self.long(length)?
            }
            0x8b => {
                let length = self.length4()?;
                self.long(length)?
            }
            b'G' => self.opaque(8)?,
            b'F' => {
                self.line()?;
                Object::Opaque
            }
            b'X' => {
                let length = self.length4()?;
                self.text(length)?
            }
            0x8c => {
                let length = self.byte()?.into();
                self.text(length)?
            }
            0x8d => {
                let length = self.length8()?;
                self.text(length)?
            }
            b'V' | b'S' => {
                let line = self.line()?;
                Object::Text(line.trim_matches(['\'', '"']).to_string())
            }
            // Python 2 wrote its byte strings for what is text today.
            b'U' => {
                let length = self.byte()?.into();
                self.text(length)?
            }
            b'T' => {
                let length = self.length4()?;
                self.text(length)?
            }
            b'C' => {
                let length = self.byte()?.into();
                self.opaque(length)?
            }
            b'B' => {
                let length = self.length4()?;
                self.opaque(length)?
            }
            0x8e | 0x96 => {
                let length = self.length8()?;
                self.opaque(length)?
            }
            _ => return Ok(false),
        };
        self.push(object);
        Ok(true)
    }

    /// Instructions that build containers and use the memo.
    fn container(&mut self, opcode: u8) -> Result<bool, PickleError> {
        match opcode {
            b']' | b')' | 0x8f => self.push(Object::Sequence(Vec::new())),
            b'}' => self.push(Object::Dict(Vec::new())),
            b't' | b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Object::Sequence(items));
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let items = self.pop_many(count)?;
                self.push(Object::Sequence(items));
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Object::Dict(pairs(&items)));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(&items)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            b'q' => {
                let key = self.byte()?.into();
                self.memoize(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.memoize(key)?;
            }
            b'p' => {
                let line = self.line()?;
                let key = line.parse().map_err(|_| self.damaged("memo key"))?;
                self.memoize(key)?;
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).map_err(|_| self.damaged("memo"))?;
                self.memoize(key)?;
            }
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'g' => {
                let line = self.line()?;
                let key = line.parse().map_err(|_| self.damaged("memo key"))?;
                self.recall(key)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Instructions that name, call or fill Python objects.
    fn object(&mut self, opcode: u8) -> Result<bool, PickleError> {
        match opcode {
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                let global = self.qualified(&module, &name)?;
                self.global(global)?;
            }
            0x93 => {
                let items = self.pop_many(2)?;
                let (Object::Text(module), Object::Text(name)) =
                    (&self.objects[items[0]], &self.objects[items[1]])
                else {
                    return Err(self.damaged("name of a class"));
                };
                let global = self.qualified(module, name)?;
                self.global(global)?;
            }
            b'Q' => {
                let reference = self.pop()?;
                self.push(Object::Persistent(reference));
            }
            b'P' => {
                let reference = Object::Text(self.line()?);
                self.push(reference);
                let reference = self.pop()?;
                self.push(Object::Persistent(reference));
            }
            b'R' | 0x81 => {
                let items = self.pop_many(2)?;
                self.call(items[0], items[1])?;
            }
            0x92 => {
                let items = self.pop_many(3)?;
                self.call(items[0], items[1])?;
            }
            b'i' => {
                let module = self.line()?;
                let name = self.line()?;
                return Err(PickleError::ForeignCode(self.qualified(&module, &name)?));
            }
            b'o' => {
                let items = self.pop_mark()?;
                let &callable = items.first().ok_or_else(|| self.damaged("empty stack"))?;
                let name = self.callable_name(callable)?;
                return Err(PickleError::ForeignCode(name.to_owned()));
            }
            // BUILD sets attributes; those of an OrderedDict are PyTorch's
            // version numbers, which no reader needs.
            b'b' => drop(self.pop()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn call(&mut self, callable: Id, arguments: Id) -> Result<(), PickleError> {
        let name = self.callable_name(callable)?;
        let Some(&callable) = DATA_CALLABLES.iter().find(|known| **known == name) else {
            return Err(PickleError::ForeignCode(name.to_owned()));
        };
        // An OrderedDict is created empty, or from pairs, and filled later.
        let object = if callable == ORDERED_DICT {
            Object::Dict(self.ordered_dict_items(arguments)?)
        } else {
            Object::Call {
                callable,
                arguments,
            }
        };
        self.push(object);
        Ok(())
    }

    fn ordered_dict_items(&mut self, arguments: Id) -> Result<Vec<(Id, Id)>, PickleError> {
        let Some(&entries) = self.items(arguments).first() else {
            return Ok(Vec::new());
        };
        let count = self.items(entries).len();
        self.charge(count.saturating_mul(size_of::<(Id, Id)>()))?;
        let pairs = self
            .items(entries)
            .iter()
            .filter_map(|&entry| match self.items(entry) {
                [key, value] => Some((*key, *value)),
                _ => None,
            });
        Ok(pairs.collect())
    }

    /// The items of a sequence; of anything else none.
    fn items(&self, id: Id) -> &[Id] {
        match &self.objects[id] {
            Object::Sequence(items) => items,
            _ => &[],
        }
    }

    fn callable_name(&self, id: Id) -> Result<&str, PickleError> {
        match &self.objects[id] {
            Object::Global(name) => Ok(name),
            _ => Err(self.damaged("a call of what is neither class nor function")),
        }
    }

    /// `module.name`
    fn qualified(&self, module: &str, name: &str) -> Result<String, PickleError> {
        if module.len().saturating_add(name.len()) > LONGEST_NAME {
            return Err(self.damaged("the name of a class is too long"));
        }
        Ok(format!("{module}.{name}"))
    }

    fn global(&mut self, name: String) -> Result<(), PickleError> {
        self.charge(name.len())?;
        self.push(Object::Global(name));
        Ok(())
    }

    /// To be called before so many bytes are copied that the pickle need not have spelt out.
    fn charge(&mut self, bytes: usize) -> Result<(), PickleError> {
        match self.budget.allows(bytes, self.position) {
            true => Ok(()),
            false => Err(self.damaged("more memory is asked for than the length explains")),
        }
    }

    fn extend(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        match &mut self.objects[target] {
            Object::Sequence(list) => list.extend_from_slice(items),
            _ => return Err(self.damaged("APPEND to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        match &mut self.objects[target] {
            Object::Dict(entries) => entries.extend(pairs(items)),
            _ => return Err(self.damaged("SETITEM on what is no dict")),
        }
        Ok(())
    }

    fn memoize(&mut self, key: u32) -> Result<(), PickleError> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), PickleError> {
        let id = *self
            .memo
            .get(&key)
            .ok_or_else(|| self.damaged("reference to an unknown memo entry"))?;
        self.stack.push(id);
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn top(&self) -> Result<Id, PickleError> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| self.damaged("empty stack"))
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, PickleError> {
        let height = self
            .stack
            .len()
            .checked_sub(count)
            .ok_or_else(|| self.damaged("empty stack"))?;
        Ok(self.stack.split_off(height))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let height = self
            .marks
            .pop()
            .filter(|&height| height <= self.stack.len())
            .ok_or_else(|| self.damaged("missing MARK"))?;
        Ok(self.stack.split_off(height))
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], PickleError> {
        let end = self
            .position
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len())
            .ok_or_else(|| self.damaged("the pickle is cut off"))?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let rest = &self.bytes[self.position..];
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(|| self.damaged("the pickle is cut off"))?;
        let line = String::from_utf8_lossy(&rest[..end]).trim_end().to_string();
        self.position += end + 1;
        Ok(line)
    }

    fn length4(&mut self) -> Result<usize, PickleError> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn length8(&mut self) -> Result<usize, PickleError> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| self.damaged("length"))
    }

    fn opaque(&mut self, length: usize) -> Result<Object, PickleError> {
        self.take(length)?;
        Ok(Object::Opaque)
    }

    fn text(&mut self, length: usize) -> Result<Object, PickleError> {
        let bytes = self.take(length)?;
        Ok(Object::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn decimal(&mut self) -> Result<Object, PickleError> {
        let line = self.line()?;
        Ok(match line.trim_end_matches('L') {
            "00" | "01" => Object::Opaque,
            digits => Object::Int(digits.parse().map_err(|_| self.damaged("number"))?),
        })
    }

    fn long(&mut self, length: usize) -> Result<Object, PickleError> {
        if length > 8 {
            return self.opaque(length);
        }
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xFF } else { 0 }; 8];
        wide[..length].copy_from_slice(bytes);
        Ok(Object::Int(i64::from_le_bytes(wide)))
    }

    fn damaged(&self, what: &str) -> PickleError {
        PickleError::Damaged(format!("{what} (pickle, byte {})", self.position))
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&[key, value]| (key, value))
        .collect()
}
