#!/usr/bin/env python3
"""Writes `oracles.json` beside it: what the usual Python implementations make of a few captions.

    pip install pycocoevalcap==1.2 sacrebleu==2.6.0 rouge-score==0.1.2
    git clone https://github.com/GT-Vision-Lab/VQA    # a013f004
    python make.py VQA/PythonEvaluationTools/vqaEvaluation/vqaEval.py

The tokenizer of pycocoevalcap needs Java (17 was used)."""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_char import TokenizerChar
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

# A candidate and its references.
CORPORA = {
    "english": [
        ("A man is riding a horse on the beach.",
         ["A man rides a horse on a beach.", "Someone riding a horse along the shore.",
          "a person on horseback at the beach"]),
        ("Two dogs play with a red ball, and a cat watches!",
         ["Two dogs are playing with a ball while a cat watches.",
          "A cat watches two dogs that play."]),
        ("the the the the the the", ["The cat is on the mat.", "There is a cat on the mat."]),
        ("", ["A bowl of fruit on a table."]),
        ("Fruit.", ["A bowl of fruit on a wooden table next to a glass of water."]),
        ("A bowl of fresh fruit stands on a large wooden table in a bright kitchen next to a tall "
         "glass of cold water and a small plate", ["A bowl of fruit.", "Fruit in a bowl"]),
        ("It's 10:30 a.m.; the bus doesn't stop at 5th Ave.",
         ["It is 10:30 a.m. and the bus won't stop at 5th Ave.", "The bus isn't stopping."]),
        ("A black-and-white photo (1,000 x 3.5) of the U.S. flag",
         ["Black-and-white photo of a U.S. flag", "The \"stars and stripes\" -- in black & white"]),
        ("A dog, a dog and a dog", ["A dog and another dog and a third dog", "three dogs"]),
        ("A group of people standing around a kitchen.",
         ["A group of people standing around a kitchen."]),
    ],
    "german": [
        ("Ein Mann fährt mit dem Fahrrad durch die Straße.",
         ["Ein Mann fährt Fahrrad auf der Straße.", "Ein Radfahrer in der Stadt"]),
        ("Größe: 3,5 Äpfel & \"schöne\" Birnen", ["3,5 große Äpfel und schöne Birnen"]),
        ("Zwei Hunde spielen.", ["Zwei Hunde spielen im Schnee mit einem Ball."]),
        ("Eine Katze liegt auf dem Sofa, auf dem Sofa liegt eine Katze.",
         ["Auf dem Sofa liegt eine Katze.", "Eine Katze schläft."]),
        ("Hund", ["Katze"]),
    ],
    "chinese": [
        ("一个男人在海滩上骑马。", ["一名男子在海边骑马。", "有人骑着马走在沙滩上"]),
        ("两只狗在玩红色的球，一只猫在看！", ["两只狗在玩球，一只猫看着它们。"]),
        ("桌子上有3.5个苹果和iPhone", ["桌上放着3个苹果、一部iPhone。", "苹果"]),
        ("", ["一碗水果"]),
        ("猫猫猫猫", ["一只猫坐在垫子上。", "猫"]),
        ("桌子上有一碗水果。", ["桌子上有一碗水果。"]),
    ],
    "two empty texts": [("", [""]), ("a", ["", "a b c d e"])],
}

# Texts of which all words are compared, by each tokenizer.
TEXTS = [
    "A man doesn't ride a horse; he can't, and he won't.",
    "The dog's ball isn't John's, it's the dogs'.",
    "A t-shirt, black-and-white (with 3 stripes) [and] {one} more...",
    "\"Hello\" 'world' ``quoted'' “curly” ‘single’ it’s don’t",
    "50% off, $5.00 €10 £3 #1 @home 1,000 3.5 2:30 9/11 and/or 24/7",
    "The U.S. flag in the U.S. Mr. Smith and Dr. Who on St. John's street at 5 p.m.",
    "colour grey theatre centre favourite metre",
    "He said -- well – that — is… ok!! really?! wow!",
    "cannot gonna wanna gimme lemme gotta 'tis 'twas o'clock rock 'n' roll rock'n'roll",
    "I'm you're they've he'll she'd I'd y'all ain't shan't ma'am",
    "Ein Mann fährt Fahrrad. Größe & Höhe; \"schön\"? z.B. „so“",
    "l'homme n'est pas aujourd'hui à l'école, qu'il dit; c'est l'eau d'une rivière",
    "two  spaces\ttab * star + plus = eq < lt > gt | pipe ~ tilde ^ hat \\ back _ under_score",
    "see http://example.com/a_b?c=1, me@x.com www.foo.com photo.jpg.",
    "½ 1/2 4x4 3D 1st 20th '90s 1990's 80's 6'2\" 5pm 10:30am -5 .5 5°",
    "Hello,world a,b,c 1,2,3 <3 😀 cat😀dog ❤ <b>bold</b> <unk>",
    "a- -a - -- --- a--b a—b mother-in-law's self-portraits' x-ray",
    "vs. No. 5 Jr. Inc. Co. Ave. etc. approx. Jan. 5 a.m. ft. e.g. i.e. Ph.D. plan B.",
    "¿Qué es? ¡Hola! naïve café año ñandú «guillemets»",
    "AT&T R&B black&white H&M salt & pepper Hawai'i O'Neil un'altra all'aperto",
    "TWO MEN CAN'T STAND IN MR. SMITH'S YARD",
    "a man,a dog;the cat:one",
    "一只猫，坐在“沙发”上（很大）。有3.5米？Yes!",
    "猫がソファの上にいます。ｶﾀｶﾅ１２３ＡＢＣ",
    "قطة سوداء على الأريكة، وكلب؟",
    "Kuna paka mweusi, amelala kwenye kochi.",
    "&quot;x&quot; &amp;lt; a-\nb <skipped>c 5-6 a-5 5-a .5. 1.a a.1 ,,x,, '.,'",
    "\u2000a\u2001b\u2a6dc\u2a6ed\u20ace\U00020000f\u3005g\u200bh\x1ci\x85j\xa0k",
    "  İstanbul ΑΣ straße ﬁ K\u212a  ",
    "",
    " \n ",
]
# The Stanford tokenizer knows more than captions need.
NOT_PENN = {TEXTS[22], TEXTS[23], TEXTS[26], TEXTS[27], TEXTS[28]}

VQA_ANSWERS = [
    "Yes", "The red cat.", "an apple", "Two", "none", "ten", "1,000", "1,000; (really?)", "3.5",
    "3. 5", "dont", "Dont know", "couldn'tve", "I'd've", "somebody'd", "y'alldve", "yall'd've",
    "its", "t-shirt", "t - shirt", "black/white", "black / white", "a a the an", "hello,world",
    "hello, world", "what?!", "@ home", "5:30", "U.S.A.", "e.g. this", ".5", "5.", "...",
    "one's", "  two\twords\n", "", "grün", "红色", "a.b.c" * 20, "7-up", "don't", "let's",
    "it's 10 o clock", "oclock",
]

VQA_QUESTIONS = [
    ("yes", ["yes"] * 10),
    ("Yes", ["yes"] * 10),
    ("no", ["yes"] * 10),
    ("yes", ["yes"] * 9 + ["no"]),
    ("Yes.", ["yes"] * 9 + ["no"]),
    ("no", ["yes"] * 9 + ["no"]),
    ("no", ["yes"] * 8 + ["no"] * 2),
    ("no", ["yes"] * 7 + ["no"] * 3),
    ("no", ["yes"] * 6 + ["no"] * 4),
    ("a red", ["red", "Red", "the red", "blue", "dark red", "red.", "green", "red", "re d", "r"]),
    ("2", ["two", "2", "3", "three", "2 dogs", "2", "1", "4", "5", "6"]),
    ("cat", ["dog"] * 5 + ["horse"] * 5),
    ("cat", ["cat", "dog"]),
    ("", ["a", "b", "the"]),
]


def split(text, tokenizer):
    return tokenizer(text.rstrip()).split()


class Plain:
    """A tokenizer of sacrebleu for rouge-score."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def tokenize(self, text):
        return split(text, self.tokenizer)


def penn(texts):
    """Each text is an image of its own: pycocoevalcap loses no line that way."""
    images = {number: [{"caption": text}] for number, text in enumerate(texts)}
    tokenized = PTBTokenizer().tokenize(images)
    return [tokenized[number][0] for number in range(len(texts))]


def bleu_figures(score):
    return {"score": score.score, "precisions": list(score.precisions), "brevity_penalty": score.bp,
            "candidate_words": score.sys_len, "reference_words": score.ref_len}


def sacrebleu_of(examples, name):
    most = max(len(references) for _, references in examples)
    streams = [[refs[n] if n < len(refs) else None for _, refs in examples] for n in range(most)]
    corpus = BLEU(tokenize=name).corpus_score([candidate for candidate, _ in examples], streams)
    sentence = BLEU(tokenize=name, effective_order=True)
    alone = [BLEU(tokenize=name).corpus_score([candidate], [[one] for one in references])
             for candidate, references in examples]
    return {
        "corpus": bleu_figures(corpus),
        "examples": [bleu_figures(score) for score in alone],
        "sentences": [bleu_figures(sentence.sentence_score(*example)) for example in examples],
    }


def coco_of(examples, tokenize):
    flat = [text for candidate, references in examples for text in [candidate, *references]]
    words = iter(tokenize(flat))
    candidates, references = {}, {}
    for number, (_, texts) in enumerate(examples):
        candidates[number] = [next(words)]
        references[number] = [next(words) for _ in texts]
    bleu, bleus = Bleu(4).compute_score(references, candidates, verbose=0)
    rouge, rouges = Rouge().compute_score(references, candidates)
    cider, ciders = Cider().compute_score(references, candidates)
    return {
        "bleu": {"corpus": bleu, "examples": list(zip(*bleus))},
        "rouge": {"mean": float(rouge), "examples": rouges.tolist()},
        "cider": {"mean": float(cider), "examples": ciders.tolist()},
    }


def rouge_of(examples, tokenizer):
    scorer = RougeScorer(["rougeL"], use_stemmer=False, tokenizer=tokenizer)
    scores = [scorer.score_multi(references, candidate)["rougeL"]
              for candidate, references in examples]
    return [{"precision": s.precision, "recall": s.recall, "f1": s.fmeasure} for s in scores]


def vqa(path):
    """The evaluation was written for Python 2."""
    source = Path(path).read_text()
    source = re.sub(r'print ("[^"]*")', r"print(\1)", source).replace('r"/"', '"/"')
    module = {}
    exec(compile(source, path, "exec"), module)

    class Questions:
        def __init__(self, qa):
            self.qa = qa

        def getQuesIds(self):
            return list(self.qa)

    people, answers = {}, {}
    for number, (answer, human) in enumerate(VQA_QUESTIONS):
        people[number] = {"question_type": str(number), "answer_type": "other",
                          "answers": [{"answer": a, "answer_id": n} for n, a in enumerate(human)]}
        answers[number] = {"answer": answer}
    evaluation = module["VQAEval"](Questions(people), Questions(answers), n=14)
    normalize = lambda text: evaluation.processDigitArticle(evaluation.processPunctuation(text))
    normalized = [[text, normalize(text)] for text in VQA_ANSWERS]
    evaluation.evaluate()
    scores = [evaluation.evalQA[number] / 100 for number in range(len(VQA_QUESTIONS))]
    questions = [{"answer": answer, "people": human, "accuracy": score}
                 for (answer, human), score in zip(VQA_QUESTIONS, scores)]
    return {"normalized": normalized, "questions": questions}


def lines(value, depth):
    """JSON with a line for each entry of the outer levels."""
    if depth == 0 or not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        inner = [f"{json.dumps(key)}: {lines(one, depth - 1)}" for key, one in value.items()]
        return "{\n" + ",\n".join(inner) + "\n}"
    return "[\n" + ",\n".join(lines(one, depth - 1) for one in value) + "\n]"


def main():
    zh, v13a, char = TokenizerZh(), Tokenizer13a(), TokenizerChar()
    tokenizers = {
        "mteval13a": lambda text: split(text, v13a),
        "chinese": lambda text: split(text, zh),
        "characters": lambda text: split(text, char),
        "rouge-score": DefaultTokenizer(False).tokenize,
    }
    words = {name: [[text, cut(text)] for text in TEXTS] for name, cut in tokenizers.items()}
    texts = [text for text in TEXTS if text not in NOT_PENN]
    words["penn-treebank"] = [[text, cut.split()] for text, cut in zip(texts, penn(texts))]
    corpora = []
    for name, examples in CORPORA.items():
        chinese = name == "chinese"
        captions = (lambda texts: [zh(text.rstrip()) for text in texts]) if chinese else penn
        corpora.append({
            "name": name,
            "examples": [{"candidate": c, "references": r} for c, r in examples],
            "sacrebleu": {ours: sacrebleu_of(examples, theirs) for ours, theirs in
                          [("mteval13a", "13a"), ("chinese", "zh"), ("characters", "char")]},
            "coco": {"chinese" if chinese else "penn-treebank": coco_of(examples, captions)},
            "rouge_score": {"rouge-score": rouge_of(examples, None),
                            "chinese": rouge_of(examples, Plain(zh))},
        })
    packages = ["pycocoevalcap", "sacrebleu", "rouge-score"]
    result = {"packages": {name: importlib.metadata.version(name) for name in packages},
              "tokenizers": words, "corpora": corpora, "vqa": vqa(sys.argv[1])}
    file = Path(__file__).parent / "oracles.json"
    file.write_text(lines(result, 4) + "\n")


main()
