/// The members of a request that a fault may name; other names are told by their place only,
/// since a client may have put anything there.
enum RequestField: String, CaseIterable {
  case audio
  case contents
  case frequencyPenalty = "frequency_penalty"
  case functionCall = "function_call"
  case functions
  case generationConfig
  case includeUsage = "stream_options.include_usage"
  case input
  case instructions
  case logitBias = "logit_bias"
  case logprobs
  case maxCompletionTokens = "max_completion_tokens"
  case maxOutputTokens = "max_output_tokens"
  case maxTokens = "max_tokens"
  case messages
  case metadata
  case modalities
  case model
  case n
  case parallelToolCalls = "parallel_tool_calls"
  case parameters
  case payload
  case prediction
  case presencePenalty = "presence_penalty"
  case previousResponseID = "previous_response_id"
  case prompt
  case promptCacheKey = "prompt_cache_key"
  case reasoningEffort = "reasoning_effort"
  case responseFormat = "response_format"
  case safetyIdentifier = "safety_identifier"
  case seed
  case serviceTier = "service_tier"
  case stop
  case store
  case stream
  case streamOptions = "stream_options"
  case system
  case systemInstruction
  case temperature
  case toolChoice = "tool_choice"
  case tools
  case topLogprobs = "top_logprobs"
  case topP = "top_p"
  case user
  case verbosity
  case webSearchOptions = "web_search_options"
}
