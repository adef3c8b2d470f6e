import {join} from 'node:path';
import {packageRoot} from '../std/paths.ts';

/** The folder of the Terraform module that comes with pra. */
export const builtInTarget = () => join(packageRoot(), 'terraform', 'local');
