/** `eidos/study`: experiments on models and data sets, each with intervals. */
export { type Domain, type DomainJudgement, learnDomain, loadDomain } from './domain.ts';
export {
  type ExplanationFigures,
  type ExplanationStudyOptions,
  studyExplanations,
} from './explanations.ts';
export { type LimitsMetric, type LimitsOptions, type LimitsStudy, studyLimits } from './limits.ts';
export { type PromptResult, type PromptStudy, type PromptStudyOptions, studyPrompts } from './prompts.ts';
