"""Detect orders: text that tries to command its reader, in common languages.

Called by `lexicon.subject` for incoming text and by `fleet.llm.screening` for outgoing text. Pure. A list of phrases is
never complete; it is the second line of defence after structure, which needs no list.
"""

from __future__ import annotations

import re
import unicodedata

from fleet.core import text

_ENGLISH = (
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instructions?|prompts?|rules|previous|above|everything)\b"
    r"|\bsystem[ _-]?prompts?\b|\byou are now\b|\bact as\b|\bpretend (?:to be|you)\b|\bas an ai\b|\bjail ?break"
    r"|\b(?:respond|reply|answer) (?:only|with)\b|\boutput only\b|\brepeat after\b|\bdeveloper mode\b"
    r"|\byour (?:instructions?|passwords?|tokens?|secrets?|credentials?|prompts?)\b|\bapi[ _-]?keys?\b"
    r"|\b(?:tool|function)[ _-](?:use|calls?|result)\b|\bdrop table\b|\brm -rf\b|\bend of (?:user|system)\b"
    r"|\b(?:write|say|repeat|comment|post|answer|reply) (?:this|exactly|only|the following|word for word)\b"
    r"|\b(?:write|say|comment|post|answer|reply) with\b"  # not `repeat with`, as in patterns of tiles
    r"|\b(?:use|call|run|invoke) (?:the|a|your) (?:tool|function|command)\b"
    r"|(?:^|\s)(?:system|assistant|user|human) ?:"
    # Chat formats: no caption contains a chat message, or the end of our data.
    r"|[\"']role[\"'] ?:|</?[a-z]+_data>"
)
_OTHERS = (
    # German, Dutch
    r"\b(?:ignorier\w*|missachte\w*|vergiss|negeer|vergeet)\b.{0,40}"
    r"\b(?:anweisung|befehl|regel|vorherig|bisherig|instructie|vorige|eerdere)"
    r"|\bdu bist (?:jetzt|nun)\b|\bje bent nu\b|\b(?:antworte|antwoord) (?:nur|alleen|mit|met)\b|\bsystemanweisung"
    # French
    r"|\b(?:ignore[zr]?|oublie[zr]?)\b.{0,40}\b(?:instructions?|consignes?|règles|précédent)|\btu es maintenant\b"
    r"|\bréponds? (?:uniquement|seulement|avec)\b|\b(?:invite|consignes?) système\b"
    # Spanish, Portuguese, Italian
    r"|\b(?:ignora|ignore|olvida|esqueça|esquece|dimentica)\w*\b.{0,40}\b(?:instruc|instru[cç]|istruzion|reglas|regras|regole|anterior|precedent)"
    r"|\b(?:ahora eres|agora você é|ora sei)\b|\b(?:responde|responda|rispondi) (?:solo|sólo|só|apenas|con|com)\b"
    # Polish, Czech, Turkish, Indonesian, Vietnamese
    r"|\b(?:zignoruj|ignoruj|zapomnij|zapomeň)\b.{0,40}\b(?:instrukc|polece|pokyn|poprzedni|předchozí)"
    r"|\b(?:önceki|tüm) (?:tüm )?talimatlar|\babaikan\b.{0,40}\binstruksi|\bbỏ qua\b.{0,40}\b(?:hướng dẫn|chỉ dẫn)"
    # Russian, Ukrainian, Greek
    r"|\b(?:игнориру|проигнориру|забуд|ігнору)\w*\b.{0,40}(?:инструкци|указани|правил|інструкці|вказів)"
    r"|\bты теперь\b|\bтепер ти\b"
    r"|\b(?:αγνόησε|ξέχασε)\b.{0,40}(?:οδηγίες|εντολές)"
    # Chinese, Japanese, Korean
    r"|(?:忽略|无视|無視|忘记|忘記).{0,20}(?:指令|指示|提示|规则|規則)|(?:系统|系統)提示|你现在是|你現在是"
    r"|(?:指示|命令|ルール|プロンプト).{0,12}(?:無視|忘れ)|システムプロンプト|あなたは今から"
    r"|(?:지시|명령|규칙|프롬프트).{0,12}(?:무시|잊)|시스템 ?프롬프트|너는 이제"
    # Arabic, Hebrew, Persian, Hindi, Thai
    r"|(?:تجاهل|انس).{0,40}(?:التعليمات|الأوامر|القواعد)|أنت الآن|(?:התעלם|תתעלם|שכח).{0,40}(?:הוראות|ההוראות)"
    r"|(?:نادیده).{0,40}(?:دستور)|(?:निर्देश|आदेश).{0,30}(?:अनदेखा|नज़रअंदाज़|भूल)|(?:เพิกเฉย|ไม่ต้องสนใจ|ลืม).{0,20}คำสั่ง"
)
_ORDERS = re.compile(f"{_ENGLISH}|{_OTHERS}", re.IGNORECASE)
_LEET = str.maketrans("013457@$", "oieastas")
_SPACED_OUT = re.compile(r"(?:\b[^\W\d]\b[ ._-]{1,2}){7,}")


MOST_READ_CHARS = 20_000
"""Longer texts count as orders, before or after normalisation: no caption is as long, and reading must stay cheap."""
_MOST_GROWTH = 4
"""A text that grows more than this many times in normalisation is written in ligatures of whole phrases."""


def gives_orders(words: str) -> bool:
    """Return whether a text tries to command its reader, or is disguised without need.

    Styled letters, invisible characters and digits for letters are normalized. The cost is linear in the length.
    """
    if len(words) > MOST_READ_CHARS:
        return True
    plain = unicodedata.normalize("NFKC", words)
    if len(plain) > max(_MOST_GROWTH * len(words), 200):
        return True
    plain = text.clean(plain)
    readings = dict.fromkeys((words, plain, plain.translate(_LEET)))
    return any(_ORDERS.search(one) for one in readings) or _is_disguised(plain)


def _is_disguised(plain: str) -> bool:
    """Return whether letters are spaced out, or words mix similar alphabets."""
    return _SPACED_OUT.search(plain) is not None or any(_mixes(word) for word in plain.split())


def _mixes(word: str) -> bool:
    return re.search("[a-zA-Z]", word) is not None and re.search("[\u0370-\u052f]", word) is not None
