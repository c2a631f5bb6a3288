import type {Renderer} from '../render.js';
import type {Report} from '../types.js';
export const renderHtml: Renderer<Report> = function* () {};
