"""Edits that break one rule each, and the tests that have to notice: file -> (text, replacement, tests).

A row is one line: the text must stand exactly once in the file, and the tests are paths within `tests/`, separated by a space.
"""

# fmt: off
Row = tuple[str, str, str]

PARSING = "connect/parsing/"
CHAT = "connect/chat/"
IDS = "connect/conversation/test_tool_call_ids.py"
PROTOCOL = "connect/protocol/"
TRANSPORT = "connect/transport/"
REQUEST = "connect/request"
SCHEMAS = "connect/schema/test_rewrite.py connect/schema/test_grammar_patterns.py"
CHUNKS = PROTOCOL + "test_chunks.py"
REASONING = PARSING + "test_reasoning.py"
REPAIR = PARSING + "test_repair.py"
END_TAGS = PARSING + "test_missing_end_tags.py"
FORCED = PARSING + "test_forced_calls.py"
TAGS = CHAT + "test_constraint_tags.py"
FLOW = CHAT + "test_flow.py"

TABLE: dict[str, list[Row]] = {
    # response: values of an answer
    "vllm_connect/response/tool_arguments.py": [
        ("MAX_DEPTH = 128", "MAX_DEPTH = 129", "connect/response/test_tool_arguments.py"),
        ("            depth -= 1", "            pass", "connect/response/test_tool_arguments.py"),
        ('        elif char in "{[":', '        elif char == "{":', "connect/response/test_tool_arguments.py"),
        ("            elif char == '\"':\n                inside = False", "", "connect/response/test_tool_arguments.py"),
        ('TRUNCATED = frozenset({"length",', "TRUNCATED = frozenset({", "connect/response/test_completion.py"),
        ("if len(found) != len(pairs):", "if False:", "connect/response/test_tool_arguments.py"),
        ("parse_constant=_refuse_constant, ", "", "connect/response/test_tool_arguments.py"),
        ('    if "\\\\u" in text:\n', "    if False:\n", "connect/response/test_tool_arguments.py"),
    ],
    "vllm_connect/response/completion.py": [
        ("index == last and not call.ended and", "not call.ended and", "connect/response/test_completion.py"),
        ("cut = index == last and not call.ended and", "cut = index == last and", "connect/response/test_completion.py"),
        ("if call.ended is False else None", "if False else None", "connect/response/test_completion.py"),
        ('("", "null") and not required', '("", "null")', "connect/response/test_completion.py"),
        ("            self.text.clear()", "            pass", REASONING),
        ("name in GROWING and", "False and", "connect/response/test_completion.py"),
    ],
    "vllm_connect/response/json_extraction.py": [
        ("        if _is_json(candidate):", "        if True:", "connect/response/test_json_extraction.py"),
        ("MOST_OPENERS = 50", "MOST_OPENERS = 500", "connect/response/test_json_extraction.py"),
    ],
    # schema: what is sent, what is validated
    "vllm_connect/schema/supported.py": [
        ('"multipleOf", "uniqueItems"', '"uniqueItems"', SCHEMAS),
        ('"multipleOf", "uniqueItems"', '"multipleOf"', SCHEMAS),
        ('return _is_pattern(schema.get("pattern")) or', "return", SCHEMAS),
        (' or schema.get("format") in FORMATS', "", SCHEMAS),
        ("        return not _is_pattern(schema[name])", "        return False", SCHEMAS),
        ("return schema[name] not in FORMATS", "return False", SCHEMAS),
        ("return not PROPERTY_KEYWORDS.isdisjoint(schema)", "return False", SCHEMAS),
        ('        or ("properties" in kept and "patternProperties" in kept)\n', "", SCHEMAS),
        ("        len(patterns) > 1\n        or not", "        not", SCHEMAS),
        ("        or not all(map(_is_pattern, patterns))\n", "", SCHEMAS),
        ('        kept.pop("allOf")\n', "", SCHEMAS),
        ("        negative = {}", "        pass", SCHEMAS),
        ('out["anyOf"] = out.pop("oneOf")', "pass", SCHEMAS),
        ("not -(2**63) <= bound < 2**63", "False", SCHEMAS),
    ],
    "vllm_connect/schema/grammar_patterns.py": [
        ("        return False\n", "        pass\n", SCHEMAS),
        ("[dDwWsSnrtfv]", "[bdDwWsSnrtfv]", SCHEMAS),
        ("(?::|=|!|", "(?:i|:|=|!|", SCHEMAS),
        (r'LOOKAHEAD = re.compile(r"\(\?[=!]")', 'LOOKAHEAD = re.compile("x^")', SCHEMAS),
    ],
    "vllm_connect/schema/lint.py": [
        ("has_lookahead(pattern) or not", "not", SCHEMAS),
        (' and "discriminator" not in schema', "", SCHEMAS),
    ],
    "vllm_connect/schema/rewrite.py": [
        ('out["enum"] = [out.pop("const")]', "pass", "connect/schema/test_rewrite.py"),
        ('if is_of_type(value, schema["type"])]', "]", "connect/schema/test_rewrite.py"),
        ('out["type"] = [out["type"], "null"]', "pass", "connect/schema/test_rewrite.py"),
        ("or other is False", "", "connect/schema/test_rewrite.py"),
    ],
    "vllm_connect/schema/references.py": [
        ("unquote(fragment).split", "fragment.split", "connect/schema/test_references.py"),
        ('.replace("~1", "/")', "", "connect/schema/test_references.py"),
        ('name not in ("enum", "const", "default", "examples")', "True", "connect/schema/test_references.py"),
    ],
    "vllm_connect/schema/validate.py": [
        ('or schema.get("nullable") is not True', "or True", "connect/schema/test_validate.py"),
        ("registry=Registry()", "", "connect/schema/test_validate.py"),
    ],
    "vllm_connect/schema/safe_regex.py": [
        ("            if closed:\n                return None", "", "connect/schema/test_validate.py"),
        ("MAX_PATHS = 10**8", "MAX_PATHS = 10**80", "connect/schema/test_validate.py"),
    ],
    # config
    "vllm_connect/config/urls.py": [
        ('"/completions", "/models", ', '"/models", ', "connect/config"),
        ("if url.query or url.fragment:", "if url.query:", "connect/config"),
        ("{unquote(user)}:{unquote(password)}", "{user}:{password}", "connect/config"),
    ],
    "vllm_connect/config/headers.py": [
        ("if name.lower() in FRAMING_HEADERS:", "if name in FRAMING_HEADERS:", "connect/config/test_config.py"),
        ("if text.isascii() and text.isprintable():", "if text.isascii():", "connect/config/test_config.py"),
    ],
    "vllm_connect/config/environment.py": [
        ("if not 0 <= value < math.inf:", "if not 0 <= value:", "connect/config/test_environment.py"),
    ],
    # conversation
    "vllm_connect/conversation/history_repair.py": [
        ("            waiting.remove(called)\n            notes", "            notes", "connect/conversation/test_message_policy.py"),
        ("not set(again).isdisjoint(waiting)", "False", "connect/conversation"),
        ('"tool_call_id": called, "content": NO_RESULT', '"tool_call_id": "", "content": NO_RESULT', "connect/conversation"),
        ("[:SHOWN]!r} has no call", "!r} has no call", "connect/conversation/test_history_repair.py"),
    ],
    "vllm_connect/conversation/private_hosts.py": [
        ('.rstrip(".")', "", "connect/conversation/test_private_hosts.py"),
        ("not address.is_global or address.is_multicast", "not address.is_global", "connect/conversation/test_private_hosts.py"),
        ("if found in NAT64:", "if False:", "connect/conversation/test_private_hosts.py"),
    ],
    "vllm_connect/conversation/media_policy.py": [
        ("[:LONGEST_SCHEME].lower()", "[:LONGEST_SCHEME]", "connect/conversation/test_media_policy.py"),
        ('frozenset({"user", "tool", "function"})', 'frozenset({"user", "function"})', "connect/conversation/test_media_policy.py"),
    ],
    "vllm_connect/conversation/tool_call_ids.py": [
        ("given if _is_short(given) else _digest(given) for given", "_digest(given) for given", IDS),
        ("given if NUMBERED.fullmatch(given) else", "", IDS),
    ],
    "vllm_connect/conversation/split_tool_calls.py": [
        ("    return out + left", "    return out", "connect/conversation"),
    ],
    # request
    "vllm_connect/request/chat_request.py": [
        ("if isinstance(self.stop, list) and len(self.stop) > MAX_STOP_STRINGS:", "if False:", REQUEST),
        ('{"enable_thinking": on, "thinking": on, **given}', '{**given, "enable_thinking": on, "thinking": on}', REQUEST),
        ('on = reasoning not in (False, "none")', "on = reasoning is not False", REQUEST),
        ('            body["stop"] = self.stop', "            pass", REQUEST),
        ('"include_usage": True, **(self.stream_options or {})', '**(self.stream_options or {}), "include_usage": True', REQUEST),
    ],
    "vllm_connect/request/structured_outputs.py": [
        ("if len(kinds) != 1:", "if not kinds:", "connect/request/test_structured_outputs.py"),
        ('fields["json"] = sendable_schema(fields["json"])', "pass", "connect/request/test_structured_outputs.py"),
        ('"schema": sendable_schema(named["schema"])', '"schema": named["schema"]', "connect/request/test_structured_outputs.py"),
    ],
    "vllm_connect/request/tool_choice.py": [
        ('return None if choice is None or not tools else "none"', "return None", REQUEST),
        ('choice in ("any", "required")', 'choice == "required"', REQUEST),
    ],
    "vllm_connect/request/json_values.py": [
        ("if not math.isfinite(number):", "if False:", "connect/request/test_json_values.py"),
        ("if depth > MAX_DEPTH:", "if depth > 9 * MAX_DEPTH:", "connect/request/test_json_values.py"),
    ],
    # parsing
    "vllm_connect/parsing/held_calls.py": [
        ('"".join(arguments[index]) or "{}"', '"".join(arguments[index])', PARSING + "test_held_calls.py"),
    ],
    "vllm_connect/parsing/repair.py": [
        ("not (truncated and index == last)", "True", REPAIR),
        ("not (truncated and index == last)", "not truncated", REPAIR),
        (" if all(map(_has_unique_keys, ast.walk(tree))) else None", "", REPAIR),
    ],
    "vllm_connect/parsing/forced_calls.py": [
        ('        schema["maxItems"] = 1', "        pass", FORCED),
        ('definitions.update(parameters.pop("$defs", {}))', "pass", FORCED),
        ('return {**schema, "$defs": definitions} if definitions else schema', "return schema", FORCED),
        ('"stop_after_first": not parallel', '"stop_after_first": False', FORCED),
        ('"minItems": 1, ', "", FORCED),
    ],
    "vllm_connect/parsing/reasoning.py": [
        ("AUTO = (\n    MAYBE,\n", "AUTO = (\n", REASONING),
        ("AUTO = (\n    MAYBE,\n    MINIMAX,\n", "AUTO = (\n    MAYBE,\n", REASONING),
        ("    MINIMAX,\n    MISTRAL,\n", "    MINIMAX,\n", REASONING),
        ('    Reasoning("<seed:think>", "</seed:think>"),\n', "", REASONING),
        ("    LONGCAT,\n    GEMMA,\n", "    GEMMA,\n", REASONING),
        ("    GEMMA,\n    COHERE,\n", "    COHERE,\n", REASONING),
        ("    GEMMA,\n    COHERE,\n", "    GEMMA,\n", REASONING),
        ("text = text.lstrip(WHITESPACE)", "pass", REASONING),
    ],
    "vllm_connect/parsing/output_parser.py": [
        ("is not False and not self._truncated", "is not False", REASONING),
        ("drafts.count and drafts.are_valid():", "drafts.count:", REASONING),
        ("complete=not self._truncated", "complete=True", REASONING),
        ("calls > calls_before and self._held_calls_are_valid()", "calls > calls_before", PARSING + "test_formats.py"),
    ],
    "vllm_connect/parsing/tool_schemas.py": [
        ("if value and all(self.has_parameter(name, member) for member in value)", "if value", PARSING + "test_dsml.py"),
        ('if types and "string" not in types else quote(text)', "if False else quote(text)", PARSING + "test_dsml.py"),
        ("return None if found.startswith('\"') else found", "return found", END_TAGS),
    ],
    "vllm_connect/parsing/values.py": [
        ('bare.lower() in ("null", "none")', 'bare == "null"', PARSING + "test_values.py"),
        ("or (not whole and math.isfinite(value))", "or not whole", PARSING + "test_values.py"),
    ],
    "vllm_connect/parsing/bare_calls.py": [
        ("    return not (yield from scanner.peek())", "    return True", PARSING + "test_bare_calls.py"),
        ("return not self._in_fence and", "return", PARSING + "test_bare_calls.py"),
    ],
    "vllm_connect/parsing/grammars/parameters.py": [
        ('at == 0 or value[at - 1] == "\\n" or tools', "at == 0 or tools", END_TAGS),
        ('(at == 0 or value[at - 1] == "\\n" or tools.any_has_parameter(key))', "tools.any_has_parameter(key)", END_TAGS),
        (" or tools.any_has_parameter(key))", ")", END_TAGS),
        ("        if self.wrapped:", "        if True:", PARSING + "test_nasty_values.py"),
    ],
    "vllm_connect/parsing/grammars/broken_calls.py": [
        ("    scanner.break_call()", "    pass", PARSING + "test_blocks.py " + PARSING + "test_conservation.py"),
    ],
    "vllm_connect/profiles.py": [
        ('lowered = (name or "").lower().replace("_", "-")', 'lowered = (name or "").lower()', "connect/test_profiles.py"),
        ('"qwq", "hermes", "deepseek_r1", reasoning_prefilled=True', '"qwq", "hermes", "deepseek_r1"', CHAT),
    ],
    # protocol
    "vllm_connect/protocol/chunks.py": [
        ("is not None and index not in self.finished", "is not None", CHUNKS),
        ("message.reasoning or message.reasoning_content", "message.reasoning", CHUNKS),
        ('deltas.append(Metadata({"refused": True}, index))', "pass", CHUNKS),
        ('CUT = frozenset({"abort", "error"})', 'CUT = frozenset({"error"})', PROTOCOL),
        ('counts.get("total_tokens") or prompt + completion', 'counts.get("total_tokens") or 0', CHUNKS),
    ],
    "vllm_connect/protocol/tool_calls.py": [
        ("if fragment.index is None and fragment.id and call.name:", "if False:", CHUNKS),
        ("return fragment.id != call.id", "return False", CHUNKS),
        ("last if fragment.index is None else", "None if fragment.index is None else", CHUNKS),
        ("(name != call.name or (arguments and call.complete()))", "(name != call.name)", CHUNKS),
        ("                call.name += name", "                call.name = name", CHUNKS),
        ("if len(self._calls) == MAX_CALLS:", "if False:", PROTOCOL),
    ],
    "vllm_connect/protocol/stream.py": [
        ("if missing > 0 and self.failure is None:", "if False:", PROTOCOL + "test_stream.py"),
        ("                    self.done = True\n                    break", "                    break", PROTOCOL + "test_stream.py"),
        ("        return not delta.replaces", "        return True", PROTOCOL + "test_stream.py"),
        ("and choice == run_choice and not delta.replaces", "and choice == run_choice", PROTOCOL + "test_stream.py"),
    ],
    "vllm_connect/protocol/sse.py": [
        ('name in ("", "message")', 'name == ""', PROTOCOL + "test_sse.py"),
        ("        if not data:\n            return", "", PROTOCOL + "test_sse.py"),
        ('self._after_cr = data.endswith(b"\\r")', "pass", PROTOCOL + "test_sse.py"),
        ("return data.removeprefix(_BOM)", "return data", PROTOCOL + "test_sse.py"),
    ],
    "vllm_connect/protocol/error_responses.py": [
        ("error.retryable = code == UNAVAILABLE", "error.retryable = True", PROTOCOL + "test_error_responses.py"),
        ('VALUES = (", \'input\': ", ', "VALUES = (", PROTOCOL + "test_error_responses.py"),
        ("RETRIED = frozenset({408, 425, 429,", "RETRIED = frozenset({408, 425,", PROTOCOL + "test_error_responses.py"),
    ],
    # transport
    "vllm_connect/transport/retry.py": [
        ("        policy = copy(self)", "        policy = self", TRANSPORT + "test_retry.py"),
        ("return None if asked > self._longest_asked else", "return", TRANSPORT + "test_retry.py"),
        ("if failure.code in ONCE and attempt > 1:", "if False:", TRANSPORT + "test_retry.py"),
        ("            if self._left < cost:\n                return 0\n", "", TRANSPORT + "test_retry.py"),
        ("(spent or CREDIT)", "CREDIT", TRANSPORT + "test_retry.py"),
        ("return seconds if 0 < seconds < math.inf else None", "return seconds", TRANSPORT + "test_retry.py"),
    ],
    "vllm_connect/transport/pool.py": [
        ("connection, _ = self._idle.pop()", "connection, _ = self._idle.pop(0)", TRANSPORT + "test_pool.py"),
        ("            if connection.is_alive():\n", "            if True:\n", TRANSPORT + "test_pool.py"),
        ("if keep and self._expiry:", "if keep:", TRANSPORT + "test_pool.py"),
    ],
    "vllm_connect/transport/deadlines.py": [
        ("if self._total < self._due else", "if False else", TRANSPORT + "test_deadlines.py"),
        ("due if now < due + PUNCTUAL else now + GRACE", "due", TRANSPORT + "test_deadlines.py"),
    ],
    "vllm_connect/transport/http1.py": [
        ('if coding is not None and coding.lower() != "chunked":', "if False:", TRANSPORT + "test_http1.py"),
        ("self._fields > MAX_HEADERS", "False", TRANSPORT + "test_http1.py"),
        ("        self.complete = self.complete or self._until_end", "        self.complete = True", TRANSPORT + "test_http1.py"),
        ("if CONTROL_CHARACTER.search(reason):", "if False:", TRANSPORT + "test_http1.py"),
    ],
    # chat
    "vllm_connect/chat/flow.py": [
        ("        known.needs_constraint_tags = True\n", "", TAGS),
        ("any(each.reasoned_in_text for each in filters)", "False", TAGS),
        ("parsed_by_server and any(each.called_in_text for each in filters)", "False", TAGS),
        ("        if reason and not request.stream:", "        if reason:", TAGS),
        ("return usage.completion_tokens - shown > EXPECTED_OVERHEAD", "return True", FLOW),
        ("            known.drops_tool_calls = True", "            pass", FLOW),
        ("return refused and plan.has_structural_tag", "return plan.has_structural_tag", FLOW),
        ("if new:\n        prepared.changes", "if False:\n        prepared.changes", FLOW),
    ],
    "vllm_connect/chat/plan.py": [
        (" and not is_reasoning_off(request)\n    reasoning", "\n    reasoning", TAGS),
        ("is_forced(request.tool_choice) and known.fails_forced_calls", "False", TAGS),
        ('    body.pop("parallel_tool_calls", None)', "    pass", FLOW),
        ('changes: dict[str, Any] = {"tool_choice": "none"}', "changes: dict[str, Any] = {}", FLOW),
        ("_sendable(tool) if forced or", "_sendable(tool) if", FLOW),
        ('_sendable(tool) if forced or tool["function"].get("strict") else', "_sendable(tool) if forced else", FLOW),
        ("return False if _has_grammar(request) else prompt", "return prompt", CHAT),
        ("if starts is not None or supposed else _open(profile)", "if True else _open(profile)", CHAT),
        ("supposed = profile.reasoning_prefilled and not is_reasoning_off(request)", "supposed = profile.reasoning_prefilled", CHAT),
        ('"disable_any_whitespace": True}', "}", FLOW),
    ],
    "vllm_connect/chat/constraint_tags.py": [
        ('answer.finish_reason != "length" or', "", TAGS),
        ("answer.reasoning or answer.text.strip()", "answer.text.strip()", TAGS),
        ("not (answer.reasoning or answer.text.strip())", "False", TAGS),
        ("    if LONG_WHITESPACE.search(answer.text):\n        return True\n", "", TAGS),
        ('"max_whitespace_cnt": MOST_WHITESPACE', "", TAGS),
    ],
    "vllm_connect/chat/prompt_end.py": [
        ('request.reasoning in (False, "none")', "request.reasoning is False", CHAT + "test_prompt_end.py"),
        ("    once = context._replace(policy=context.policy.without_retries())", "    once = context", CHAT + "test_prompt_end.py"),
        ("        known[arguments] = None\n", "        pass\n", CHAT + "test_prompt_end.py"),
    ],
    "vllm_connect/chat/two_phases.py": [
        ("(structured.grammar is not None or structured.structural_tag is not None)", "structured.grammar is not None", CHAT),
        ("(structured.grammar is not None or structured.structural_tag is not None)", "structured.structural_tag is not None", CHAT),
        ('        and request.tool_choice in (None, "auto")\n', "", CHAT),
        ('        and request.tool_parser != "server"\n', "", CHAT),
    ],
    "vllm_connect/chat/strict_tools.py": [
        ('return error.code != "truncated"', "return True", FLOW),
        ('    if "strict" in function:\n        return tool\n', "", CHAT + "test_strict_tools.py"),
    ],
    "vllm_connect/chat/validation.py": [
        ('        _truncated(f"the requested tool_choice', '        str(f"the requested tool_choice', CHAT),
        ("parse_constant=_refuse", "parse_constant=float", CHAT + "test_validation.py"),
        ('(forced or function.get("strict"))', "forced", CHAT + "test_validation.py"),
        ("LONGEST_BRACKETS = 2", "LONGEST_BRACKETS = 0", CHAT + "test_validation.py"),
    ],
    "vllm_connect/chat/steps.py": [
        ("delay = None if reader.deltas else", "delay =", CHAT + "test_steps.py"),
        ("or delay >= outcome.remaining", "", CHAT + "test_steps.py"),
        ("            context.budget.credit(cost)", "            pass", CHAT + "test_steps.py"),
    ],
    "vllm_connect/chat/schema_checks.py": [
        ("        seen.add(key)", "        pass", CHAT + "test_schema_checks.py"),
    ],
    "vllm_connect/chat/filters/first_tool_call.py": [
        ("delta.index > 0", "delta.index > 1", FLOW),
    ],
    "vllm_connect/chat/filters/tool_parsing.py": [
        ("if self._hold_empty_end and finish.reason in COMPLETE:", "if self._hold_empty_end:", CHAT),
        ('reason = "tool_calls" if finish.reason == "stop" else finish.reason', "reason = finish.reason", FLOW),
        ("self._rest(truncated=finish.reason in TRUNCATED)", "self._rest()", CHAT),
    ],
    # adapters and frameworks
    "vllm_connect/adapters/structured.py": [
        ("MAX_NAME_LENGTH = 64", "MAX_NAME_LENGTH = 65", "connect/adapters/test_structured.py"),
        ("MAX_NAME_LENGTH = 64", "MAX_NAME_LENGTH = 63", "connect/adapters/test_structured.py"),
        ('if finish_reason == "length":', "if False:", "connect/adapters/test_structured.py"),
    ],
    "vllm_connect/adapters/adapter_model.py": [
        ('fields["parallel_tool_calls"] = None', "pass", "connect/adapters/test_adapter_model.py langchain/test_tools.py"),
        ('if stream and (fields.get("n") or 1) > 1:', "if False:", "connect/adapters langchain/test_calls.py"),
    ],
    "vllm_connect/adapters/identity_cache.py": [
        ("and entry.fingerprint == fingerprint", "", "connect/adapters/test_identity_cache.py"),
    ],
    "langchain_vllm/messages.py": [
        ('        if call["id"] in answered\n', "", "langchain/test_messages.py"),
        ("with_reasoning=position >= start", "with_reasoning=True", "langchain/test_messages.py"),
    ],
    "langchain_vllm/structured.py": [
        ('"parallel_tool_calls": False, ', "", "langchain/test_structured.py"),
    ],
    "langchain_vllm/chunks.py": [
        ('if self.chunk_position == "last":', "if True:", "langchain/test_streams.py"),
    ],
    "llama_index_vllm/tools.py": [
        ("_parsed(call, kwargs) if ended else", "_parsed_part(kwargs) if ended else", "llamaindex/test_tools.py"),
        ("if len(set(names.values())) < len(names):", "if False:", "llamaindex/test_tools.py"),
    ],
    "llama_index_vllm/structured.py": [
        ('raise ValueError(invalid[0]["error"])', "pass", "llamaindex/test_structured.py"),
    ],
    "llama_index_vllm/responses.py": [
        ("self.ended if delta.ended is None else delta.ended", "None", "llamaindex/test_responses.py"),
    ],
}
# fmt: on
